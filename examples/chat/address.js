// Where they meet. Between machines: ../chat-tls.
export const address = `unix:${process.cwd()}/chat.sock`;
