/** The report in Markdown. */
import { BASELINES, CONTESTANTS } from './contestants.js';
import { MEASURES } from './measures/index.js';

/**
 * @param {import('./session.js').Run} run
 * @returns {string}
 */
export function writeReport({ conditions, placements, rows, skipped, failed }) {
  const lines = [bullets(Object.entries(conditions)), bullets(descriptionsOf(rows), 'Contestants:')];
  for (const placement of placements) {
    const placed = rows.filter((row) => row.placement === placement.name);
    if (placed.length === 0) continue;
    lines.push(`### ${capitalised(placement.description)}`);
    for (const size of new Set(placed.map((row) => row.size))) {
      for (const measure of Object.keys(MEASURES)) {
        const measured = inOrder(placed.filter((row) => row.measure === measure && row.size === size));
        if (measured.length > 0) lines.push(writeTable(measure, size, measured));
      }
    }
  }
  if (skipped.length > 0) lines.push(bullets(skipped.map(pairOf), 'Skipped:'));
  if (failed.length > 0) lines.push(bullets(failed.map(pairOf), 'FAILED:'));
  return `${lines.join('\n\n')}\n`;
}

function writeTable(measure, size, rows) {
  const { title, kind, explanation, hasSize } = MEASURES[measure];
  const columns = COLUMNS[kind];
  const all = [...LEADING_COLUMNS, ...columns, ...TRAILING_COLUMNS];
  const table = [
    `| ${all.map(({ head }) => head).join(' | ')} |`,
    `| ${all.map((_, index) => (index < LEADING_COLUMNS.length ? '---' : '---:')).join(' | ')} |`,
    ...rows.map((row) => `| ${all.map(({ cell }) => cell(row)).join(' | ')} |`),
  ];
  const heading = hasSize ? `${title}, ${size} bytes` : title;
  return `#### ${heading}\n\n${explanation}\n\n${table.join('\n')}`;
}

/** An AEAD encrypts as well. */
const SIGNED = { none: 'no', 'HMAC-SHA256': 'yes', 'AES-256-GCM': 'encrypted', 'ChaCha20-Poly1305': 'encrypted' };

/** Text; the others are numbers. */
const LEADING_COLUMNS = [
  { head: 'contestant', cell: ({ contestant, measure }) => labelOf(contestant, measure) },
  {
    head: 'signed',
    cell: ({ contestant }) => SIGNED[contestantOf(contestant).security],
  },
];

const LATENCY_COLUMNS = [
  { head: 'p50 µs', cell: ({ figures }) => microseconds(figures.p50) },
  { head: 'p90', cell: ({ figures }) => microseconds(figures.p90) },
  { head: 'p99', cell: ({ figures }) => microseconds(figures.p99) },
  { head: 'p99.9', cell: ({ figures }) => microseconds(figures.p999) },
  { head: 'max', cell: ({ figures }) => microseconds(figures.max) },
  { head: 'samples a round', cell: ({ figures }) => Math.round(figures.samples).toString() },
];

const THROUGHPUT_COLUMNS = [
  { head: 'messages/s', cell: ({ figures }) => perSecond(figures.perSecond) },
  { head: 'MB/s', cell: ({ figures }) => (figures.bytesPerSecond / 1e6).toFixed(0) },
];

const COLUMNS = {
  latency: LATENCY_COLUMNS,
  throughput: THROUGHPUT_COLUMNS,
  idle: [{ head: 'cores', cell: ({ figures }) => figures.cores.toFixed(4) }],
  memory: [{ head: 'KiB each', cell: ({ figures }) => (figures.bytesEach / 1024).toFixed(0) }],
};

const TRAILING_COLUMNS = [
  { head: 'spread', cell: ({ spread, rounds }) => (rounds === 1 ? '–' : `${Math.round(spread * 100)} %`) },
  ...BASELINES.map((baseline) => ({
    head: `× ${baseline}`,
    cell: ({ contestant, ratios }) => (contestant === baseline ? '1' : ratio(ratios[baseline])),
  })),
];

/** What each contestant settled on in its handshake, once. */
function descriptionsOf(rows) {
  return CONTESTANTS.flatMap(({ id }) => {
    const description = rows.find((row) => row.contestant === id && row.description !== '')?.description;
    return description === undefined ? [] : [[id, description]];
  });
}

function inOrder(rows) {
  return CONTESTANTS.flatMap(({ id }) => rows.filter((row) => row.contestant === id));
}

function labelOf(id, measure) {
  const { label, idioms } = contestantOf(id);
  return idioms[measure] === undefined ? label : `${label} (${idioms[measure]})`;
}

function contestantOf(id) {
  return CONTESTANTS.find((contestant) => contestant.id === id);
}

/** @param {number} nanoseconds */
export function microseconds(nanoseconds) {
  const value = nanoseconds / 1000;
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);
}

/** @param {number} value */
export function perSecond(value) {
  return value < 1e5 ? `${(value / 1e3).toFixed(1)} k` : `${(value / 1e6).toFixed(2)} M`;
}

/** @param {number | null | undefined} value */
export function ratio(value) {
  if (value === null || value === undefined) return '–';
  return value < 10 ? value.toFixed(2) : value.toFixed(1);
}

function pairOf({ what, reason }) {
  return [what, reason];
}

function bullets(pairs, head = '') {
  const list = pairs.map(([name, text]) => `- ${name}: ${text}`).join('\n');
  return head === '' ? list : `${head}\n\n${list}`;
}

function capitalised(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
