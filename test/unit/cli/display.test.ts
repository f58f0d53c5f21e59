/** Progress on a terminal and elsewhere. */
import { describe, expect, test } from 'vitest';

import { Display } from '../../../src/cli/demo/display.js';

function open(screen: { isTTY?: boolean; columns?: number }, env: Record<string, string> = {}) {
  let [text, time] = ['', 0];
  const write = (piece: string) => (text += piece);
  const display = new Display({ ...screen, write }, { env, now: () => time });
  return { display, written: () => text, wait: (milliseconds: number) => (time += milliseconds) };
}

describe('on a terminal', () => {
  test('the status is refreshed in place, and a line appears above it', () => {
    const { display, written, wait } = open({ isTTY: true });
    display.status('one');
    wait(100);
    display.status('two');
    display.line('hello');
    display.clearStatus();
    display.line('end');
    expect(written()).toBe('\r\u001b[2Kone\r\u001b[2Ktwo\r\u001b[2Khello\ntwo\r\u001b[2Kend\n');
  });

  test('the status is cut to the width, so that it can be erased', () => {
    const { display, written } = open({ isTTY: true, columns: 30 });
    display.status('x'.repeat(100));
    expect(written()).toBe(`\r\u001b[2K${'x'.repeat(28)}…`);
    const unknown = open({ isTTY: true, columns: 0 });
    unknown.display.status('x'.repeat(100));
    expect(unknown.written()).toBe(`\r\u001b[2K${'x'.repeat(78)}…`);
  });

  test('the verdict is coloured unless NO_COLOR says no', () => {
    expect(open({ isTTY: true }).display.good('ok')).toBe('\u001b[32mok\u001b[39m');
    expect(open({ isTTY: true }, { NO_COLOR: '1' }).display.bad('no')).toBe('no');
    expect(open({ isTTY: true }, { NO_COLOR: '' }).display.bad('no')).toContain('\u001b[');
  });
});

describe.each([
  ['in a file or pipe', { isTTY: false }, {}],
  ['on a dumb terminal', { isTTY: true }, { TERM: 'dumb' }],
])('%s', (_where, screen, env: Record<string, string>) => {
  test('the status is a plain line once a second, without any escape', () => {
    const { display, written, wait } = open(screen, env);
    for (let step = 0; step < 25; step++) {
      display.status(`status ${step}`);
      wait(100);
    }
    display.clearStatus();
    display.line(display.good('ok'));
    expect(written()).toBe('status 10\nstatus 20\nok\n');
  });
});
