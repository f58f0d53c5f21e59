/** Writes the smallest ELF files that the gate of release binaries can read: sections and their names, needed libraries and versions. */

const STRING_TABLE = 3;
const DYNAMIC = 6;
const NEEDED_VERSIONS = 0x6fff_fffe;

export interface ElfFile {
  readonly machine: number;
  readonly bits: 32 | 64;
  readonly libraries: readonly string[];
  /** Symbol versions, all of the first library. */
  readonly versions: readonly string[];
  /** Sections besides those that hold the above. */
  readonly sections: readonly { readonly name: string; readonly type: number }[];
}

export function elfFile({ machine, bits, libraries, versions, sections }: ElfFile): Buffer {
  const names = [
    '',
    ...libraries,
    ...versions,
    '.strings',
    '.dynamic',
    '.gnu.version_r',
    ...sections.map((s) => s.name),
  ];
  const strings = Buffer.from(`${names.join('\0')}\0`);
  const at = (name: string): number => (name === '' ? 0 : strings.indexOf(`\0${name}\0`) + 1);
  const word = (value: number): Buffer => {
    const bytes = Buffer.alloc(bits / 8);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  const parts = [
    { name: '', type: 0, content: Buffer.alloc(0) },
    { name: '.strings', type: STRING_TABLE, content: strings },
    {
      name: '.dynamic',
      type: DYNAMIC,
      content: Buffer.concat([...libraries.map((name) => Buffer.concat([word(1), word(at(name))])), word(0), word(0)]),
    },
    {
      name: '.gnu.version_r',
      type: NEEDED_VERSIONS,
      content: neededVersions(at(libraries[0] ?? ''), versions.map(at)),
    },
    ...sections.map((section) => ({ ...section, content: Buffer.alloc(4) })),
  ].filter(({ type }) => type !== NEEDED_VERSIONS || versions.length > 0);

  const headerSize = bits === 64 ? 64 : 52;
  const sectionSize = bits === 64 ? 64 : 40;
  const header = Buffer.alloc(headerSize);
  const contents = Buffer.concat(parts.map(({ content }) => content));
  header.write('\x7fELF', 'latin1');
  header.writeUInt8(bits / 32, 4);
  header.writeUInt16LE(machine, 18);
  header.writeUInt32LE(headerSize + contents.length, bits === 64 ? 0x28 : 0x20);
  [sectionSize, parts.length, 1].forEach((value, index) => {
    header.writeUInt16LE(value, (bits === 64 ? 0x3a : 0x2e) + 2 * index);
  });

  let offset = headerSize;
  const table = parts.map(({ name, type, content }) => {
    const entry = Buffer.alloc(sectionSize);
    entry.writeUInt32LE(at(name));
    entry.writeUInt32LE(type, 4);
    entry.writeUInt32LE(offset, bits === 64 ? 0x18 : 0x10);
    entry.writeUInt32LE(content.length, bits === 64 ? 0x20 : 0x14);
    entry.writeUInt32LE(1, bits === 64 ? 0x28 : 0x18);
    offset += content.length;
    return entry;
  });
  return Buffer.concat([header, contents, ...table]);
}

function neededVersions(library: number, versions: readonly number[]): Buffer {
  const entries = versions.map((version, index) => {
    const entry = Buffer.alloc(16);
    entry.writeUInt32LE(version, 8);
    entry.writeUInt32LE(index < versions.length - 1 ? 16 : 0, 12);
    return entry;
  });
  const head = Buffer.alloc(16);
  head.writeUInt16LE(1);
  head.writeUInt16LE(versions.length, 2);
  head.writeUInt32LE(library, 4);
  head.writeUInt32LE(16, 8);
  return Buffer.concat([head, ...entries]);
}
