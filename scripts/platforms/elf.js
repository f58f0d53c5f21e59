/** Reads from an ELF file what check-binary.js asks for. Little-endian, 32 and 64 bits; a file that is not well-formed throws. */

const DYNAMIC = 6;
const NEEDED_VERSIONS = 0x6fff_fffe;
const NEEDED = 1;

/** The machine (`e_machine`), or undefined if this is no ELF file. */
export function elfMachine(file) {
  return file.length >= 20 && file.readUInt32BE(0) === 0x7f45_4c46 ? file.readUInt16LE(18) : undefined;
}

/** The sections: name, type (`sh_type`), position and size in the file, and the section it belongs to (`sh_link`). */
export function elfSections(file) {
  const { word, is64 } = layout(file);
  const [at, size, count, names] = is64
    ? [word(0x28), file.readUInt16LE(0x3a), file.readUInt16LE(0x3c), file.readUInt16LE(0x3e)]
    : [word(0x20), file.readUInt16LE(0x2e), file.readUInt16LE(0x30), file.readUInt16LE(0x32)];
  const headers = Array.from({ length: count }, (_, index) => at + index * size);
  const sections = headers.map((header) => ({
    name: file.readUInt32LE(header),
    type: file.readUInt32LE(header + 4),
    offset: word(header + (is64 ? 0x18 : 0x10)),
    size: word(header + (is64 ? 0x20 : 0x14)),
    link: file.readUInt32LE(header + (is64 ? 0x28 : 0x18)),
  }));
  return sections.map((section) => ({ ...section, name: text(file, sections[names], section.name) }));
}

/** The libraries that are loaded with the file. */
export function neededLibraries(file, sections) {
  const { word, is64 } = layout(file);
  const half = is64 ? 8 : 4;
  return sections
    .filter(({ type }) => type === DYNAMIC)
    .flatMap(({ offset, size, link }) =>
      Array.from({ length: size / (2 * half) }, (_, index) => offset + index * 2 * half)
        .filter((entry) => word(entry) === NEEDED)
        .map((entry) => text(file, sections[link], word(entry + half))),
    );
}

/** The symbol versions that those libraries must have, such as GLIBC_2.17. */
export function neededVersions(file, sections) {
  return sections
    .filter(({ type }) => type === NEEDED_VERSIONS)
    .flatMap(({ offset, link }) =>
      chain(file, offset, 12).flatMap((library) =>
        chain(file, library + file.readUInt32LE(library + 8), 12).map((version) =>
          text(file, sections[link], file.readUInt32LE(version + 8)),
        ),
      ),
    );
}

/** How this file writes addresses and sizes. */
function layout(file) {
  const is64 = file.readUInt8(4) === 2;
  return { is64, word: (at) => (is64 ? Number(file.readBigUInt64LE(at)) : file.readUInt32LE(at)) };
}

/** Follows a list whose entries say at `next` how far away the next one is. */
function chain(file, first, next) {
  const entries = [first];
  for (let step = file.readUInt32LE(first + next); step !== 0; step = file.readUInt32LE(entries.at(-1) + next))
    entries.push(entries.at(-1) + step);
  return entries;
}

function text(file, { offset }, at) {
  return file.toString('latin1', offset + at, file.indexOf(0, offset + at));
}
