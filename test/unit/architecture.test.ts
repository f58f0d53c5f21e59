/**
 * The dependency edges of ARCHITECTURE.md, read from the sources. The two tables are the rules; everything below them
 * only reads imports and manifests.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

/**
 * A layer of src/: its files and, beside themselves, the layers and packages they may import. What the compiler erases
 * (`import type`) may also come from a layer above, but never from index or cli.
 */
interface Layer {
  readonly files: readonly string[];
  readonly imports: readonly string[];
}

const LAYERS: Readonly<Record<string, Layer>> = {
  native: { files: ['load-addon.ts', 'native.ts'], imports: ['the addon', 'node:*'] },
  /** What works where the native module cannot be loaded. */
  plain: { files: ['new-key.ts', 'owner-file.ts'], imports: ['node:*'] },
  base: {
    files: [
      'action.ts',
      'audit-sink.ts',
      'capability-checker.ts',
      'certificate.ts',
      'check.ts',
      'codec.ts',
      'create-message.ts',
      'deadlines.ts',
      'encryption.ts',
      'errors.ts',
      'event-stream.ts',
      'event-type.ts',
      'events.ts',
      'frame.ts',
      'frame-header.ts',
      'inspect-frame.ts',
      'key.ts',
      'key-box.ts',
      'key-file.ts',
      'key-text.ts',
      'limits.ts',
      'message.ts',
      'message-digest.ts',
      'msgpack-counts.ts',
      'outgoing.ts',
      'queue.ts',
      'replay-tracker.ts',
      'request-id.ts',
      'ring-buffer.ts',
      'ring-connection.ts',
      'rights.ts',
      'record.ts',
      'schema.ts',
      'stats.ts',
      'thread-bound.ts',
      'tls-options.ts',
      'vector-records.ts',
      'v1-shape.ts',
    ],
    imports: ['native', 'plain', 'node:*', '@msgpack/msgpack', 'valibot'],
  },
  audit: { files: ['audit/*.ts'], imports: ['native', 'plain', 'base', 'node:*'] },
  keyring: { files: ['keyring/*.ts'], imports: ['native', 'plain', 'base', 'node:*'] },
  policy: { files: ['policy/*.ts'], imports: ['base', 'node:*', 'yaml'] },
  router: { files: ['router.ts'], imports: ['base', 'node:*'] },
  options: {
    files: [
      'access-settings.ts',
      'options.ts',
      'policy-settings.ts',
      'services.ts',
      'settings.ts',
      'suites.ts',
      'v1-settings.ts',
    ],
    imports: ['base', 'keyring', 'policy', 'router', 'node:*'],
  },
  transport: { files: ['transport/*.ts'], imports: ['native', 'base', 'node:*'] },
  endpoint: {
    files: [
      'active-session.ts',
      'admission.ts',
      'audit-trail.ts',
      'close-reason.ts',
      'endpoint.ts',
      'endpoint-audit.ts',
      'endpoint-events.ts',
      'endpoint-news.ts',
      'endpoint-setup.ts',
      'flushes.ts',
      'heartbeat.ts',
      'inbox.ts',
      'intake.ts',
      'lane-queue.ts',
      'lanes.ts',
      'lifecycle.ts',
      'open-session.ts',
      'peer.ts',
      'receive-sync.ts',
      'receiving-endpoint.ts',
      'receivers.ts',
      'reconnect.ts',
      'request.ts',
      'sender.ts',
      'served-session.ts',
      'serving.ts',
    ],
    imports: ['native', 'base', 'router', 'options', 'transport', 'node:*'],
  },
  facades: {
    files: [
      'authenticated-session.ts',
      'authenticator.ts',
      'client.ts',
      'environment.ts',
      'environment-tls.ts',
      'dialler.ts',
      'endpoint-reader.ts',
      'heartbeat-sender.ts',
      'mac.ts',
      'serve-approvals.ts',
      'server.ts',
      'server-audit.ts',
      'server-endpoint.ts',
      'server-keys.ts',
      'server-sessions.ts',
      'unauthenticated.ts',
      'broker.ts',
      'registry.ts',
      'health.ts',
    ],
    imports: ['native', 'base', 'keyring', 'policy', 'router', 'options', 'transport', 'endpoint', 'node:*', 'valibot'],
  },
  tools: { files: ['tools/*.ts'], imports: ['base', 'router', 'endpoint', 'node:*', 'valibot'] },
  index: {
    files: ['index.ts'],
    imports: ['base', 'audit', 'tools', 'keyring', 'policy', 'router', 'options', 'transport', 'endpoint', 'facades'],
  },
  cli: { files: ['cli/**/*.ts'], imports: ['index', 'plain', 'node:*', 'commander', 'fft.js'] },
};

/** What a crate may use of ours, and what its sources may not say. */
interface Crate {
  readonly uses: readonly string[];
  readonly mayUseUnsafe?: true;
}

const CRATES: Readonly<Record<string, Crate>> = {
  core: { uses: [] },
  shm: { uses: [], mayUseUnsafe: true },
  node: { uses: ['eipc-core', 'eipc-shm'], mayUseUnsafe: true },
  net: { uses: ['eipc-core', 'eipc-shm'] },
  capi: { uses: ['eipc-core', 'eipc-shm', 'eipc-net'], mayUseUnsafe: true },
  testkit: { uses: ['eipc-core', 'eipc-shm'] }, // not published, and not below anything that is
  fuzz: { uses: ['eipc-core', 'eipc-shm', 'eipc-testkit'] }, // not published; a workspace of its own
  bench: { uses: ['eipc-core', 'eipc-shm'] }, // not published; for benches/
  instructions: { uses: ['eipc-core', 'eipc-shm', 'eipc-testkit'] }, // not published
  mutants: { uses: [] }, // not published; reads the sources of the others as text
};

/** Inside crates/core/src: files that must not match an expression. Comments and strings do not count. */
const CORE_RULES = [
  { files: 'wire/', not: /\bcrate\s*::\s*(?:crypto\b|\{[^}]*\bcrypto\b)/, why: 'wire does not know crypto' },
  { files: 'crypto/', not: /\bcrate\s*::\s*(?:wire\b|\{[^}]*\bwire\b)/, why: 'crypto does not know wire' },
  { files: 'audit/', not: /\bcrate\s*::\s*(?:wire|session|message)\b/, why: 'audit knows crypto only' },
  {
    files: '',
    except: 'crypto/',
    not: /\b(?:ring|zeroize)\s*::|\buse\s+(?:ring|zeroize)\b/,
    why: 'only crypto/ names a crypto crate',
  },
] as const;

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const SRC = join(ROOT, 'src');

describe('src/', () => {
  const files = filesUnder(SRC, '.ts');
  const imports = new Map(files.map((file) => [file, importsOf(file)]));

  test('there is something to check', () => {
    expect(files.length).toBeGreaterThan(20);
  });

  test.each(files)('%s belongs to exactly one layer', (file) => {
    expect(layersOf(file)).toHaveLength(1);
  });

  test.each(files)('%s imports only what its layer may', (file) => {
    const [layer = ''] = layersOf(file);
    const allowed = [layer, ...(LAYERS[layer]?.imports ?? [])];
    const below = Object.keys(LAYERS).filter((name) => name !== 'index' && name !== 'cli');
    const wrong = (imports.get(file) ?? []).filter(({ to, isType }) => {
      const names = isType && layer !== 'cli' ? [...allowed, ...below] : allowed;
      return !to.some((name) => names.includes(name));
    });
    expect(wrong.map(({ specifier, to }) => `${specifier} (${to.join(', ') || 'no layer'})`)).toEqual([]);
  });

  test('only native.ts uses the addon, which load-addon.ts gives it', () => {
    const users = files.filter((file) => imports.get(file)?.some(({ to }) => to.includes('the addon')));
    expect(users).toEqual(['load-addon.ts', 'native.ts']);
    const loaders = files.filter((file) => imports.get(file)?.some((edge) => edge.file.includes('load-addon.ts')));
    expect(loaders).toEqual(['native.ts']);
  });

  test.each(files)('%s does not wait at the top level: require() could not load it', (file) => {
    expect(topLevelAwaits(join(SRC, file))).toEqual([]);
  });

  test('no file imports itself through others', () => {
    const edges = new Map(
      files.map((file) => [file, (imports.get(file) ?? []).flatMap((edge) => (edge.isType ? [] : edge.file))]),
    );
    expect(cycle(edges)).toEqual([]);
  });
});

/** A global allocator is an unsafe trait. This one counts and never reuses memory, for tests only, and is in no shipped binary. */
const TEST_ALLOCATOR = join(ROOT, 'crates/testkit/src/heap.rs');

describe('crates/', () => {
  const crates = readdirSync(join(ROOT, 'crates'), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? entry.name : [],
  );

  test.each(crates)('%s uses only the crates of ours it may', (crate) => {
    const used = runtimeDependencies(readFileSync(join(ROOT, 'crates', crate, 'Cargo.toml'), 'utf8'));
    const ours = used.filter((name) => name.startsWith('eipc-'));
    expect(CRATES[crate], 'crate without a rule').toBeDefined();
    expect(ours.filter((name) => !CRATES[crate]?.uses.includes(name))).toEqual([]);
  });

  test.each(crates.filter((crate) => CRATES[crate]?.mayUseUnsafe === undefined))('%s has no unsafe code', (crate) => {
    const directory = join(ROOT, 'crates', crate);
    const found = filesUnder(directory, '.rs').filter(
      (file) => /\bunsafe\b/.test(rustCode(join(directory, file))) && join(directory, file) !== TEST_ALLOCATOR,
    );
    expect(found).toEqual([]);
  });

  test('core forbids unsafe code', () => {
    expect(rustCode(join(ROOT, 'crates/core/src/lib.rs'))).toMatch(/#!\[forbid\([^)]*\bunsafe_code\b[^)]*\)\]/);
  });

  test.each(CORE_RULES)('core: $why', (rule) => {
    const core = join(ROOT, 'crates/core/src');
    const files = filesUnder(core, '.rs').filter(
      (file) => file.startsWith(rule.files) && !('except' in rule && file.startsWith(rule.except)),
    );
    expect(files.length).toBeGreaterThan(0);
    expect(files.filter((file) => rule.not.test(rustCode(join(core, file))))).toEqual([]);
  });
});

interface Import {
  readonly specifier: string;
  /** Names by which a layer may allow it; empty for a file of src/ without a layer. */
  readonly to: readonly string[];
  /** The file of src/ it leads to. */
  readonly file: readonly string[];
  /** Erased by the compiler, so no edge at run time. */
  readonly isType: boolean;
}

function importsOf(file: string): Import[] {
  const path = join(SRC, file);
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
  const found: Import[] = [];
  const add = (node: ts.Node | undefined, isType: boolean): void => {
    if (node === undefined) return;
    if (!ts.isStringLiteral(node)) throw new Error(`${file}: an import that cannot be read: ${node.getText()}`);
    found.push({ ...targetOf(file, node.text), specifier: node.text, isType });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node))
      add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], false);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function targetOf(file: string, specifier: string): Pick<Import, 'to' | 'file'> {
  if (specifier.startsWith('node:')) return { to: [specifier, 'node:*'], file: [] };
  if (!specifier.startsWith('.')) return { to: [specifier], file: [] };
  const path = resolve(dirname(join(SRC, file)), specifier);
  if (path === join(ROOT, 'index.d.ts')) return { to: ['the addon'], file: [] };
  const target = posix(relative(SRC, path)).replace(/\.js$/, '.ts');
  return { to: layersOf(target), file: [target] };
}

/** The waiting expressions and loops that belong to no function. */
function topLevelAwaits(path: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) return;
    if (ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier !== undefined))
      found.push(node.getText());
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true));
  return found;
}

function layersOf(file: string): string[] {
  return Object.entries(LAYERS).flatMap(([name, { files }]) =>
    files.some((pattern) => matches(file, pattern)) ? name : [],
  );
}

/** `*` stands for a name, `**` for folders. */
function matches(file: string, pattern: string): boolean {
  const expression = pattern
    .replace(/[.]/g, '\\.')
    .replaceAll('**/', '\u0000')
    .replaceAll('*', '[^/]*')
    .replaceAll('\u0000', '(?:[^/]+/)*');
  return new RegExp(`^${expression}$`).test(file);
}

/** The files of one cycle, or none. */
function cycle(edges: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const done = new Set<string>();
  const walk = (file: string, path: readonly string[]): readonly string[] => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return [];
    for (const next of edges.get(file) ?? []) {
      const found = walk(next, [...path, file]);
      if (found.length > 0) return found;
    }
    done.add(file);
    return [];
  };
  for (const file of edges.keys()) {
    const found = walk(file, []);
    if (found.length > 0) return found;
  }
  return [];
}

/** Names under `[dependencies]` and `[target.….dependencies]` of a manifest; development ones do not ship. */
function runtimeDependencies(manifest: string): string[] {
  let isDependencies = false;
  return manifest.split('\n').flatMap((line) => {
    const section = /^\[(.+)\]/.exec(line)?.[1];
    const name = /^([\w-]+)/.exec(line)?.[1];
    if (section === undefined) return isDependencies && name !== undefined ? name : [];
    const table = /^(?:target\..+\.)?dependencies(?:\.([\w-]+))?$/.exec(section);
    isDependencies = table !== null && table[1] === undefined;
    return table?.[1] ?? [];
  });
}

/** The source without comments and without the text of strings. */
function rustCode(path: string): string {
  return readFileSync(path, 'utf8').replace(
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|b?r(#*)"[\s\S]*?"\1|b?"(?:[^"\\]|\\[\s\S])*"|b?'(?:[^'\\\n]|\\[^\n]{1,8})'/g,
    ' ',
  );
}

function filesUnder(directory: string, extension: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true }).flatMap((entry) => {
    const path = posix(relative(directory, join(entry.parentPath, entry.name)));
    return entry.isFile() && path.endsWith(extension) && !path.startsWith('target/') ? path : [];
  });
}

function posix(path: string): string {
  return path.split(sep).join('/');
}
