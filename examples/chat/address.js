// Where they meet: on another machine that would be a tls:// address.
export const address = `unix:${process.cwd()}/chat.sock`;
