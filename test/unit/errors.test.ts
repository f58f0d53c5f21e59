import { describe, expect, it } from 'vitest';

import { ERROR_CODES, errorFromValue, makeError } from '../../src/errors.js';
import * as api from '../../src/index.js';
import { errorTable } from '../../src/native.js';

describe('the error table', () => {
  it('of native code and the codes of TypeScript are the same', () => {
    expect(errorTable().map((row) => row.name)).toEqual([...ERROR_CODES]);
  });

  it('names only classes that are exported', () => {
    const classes = new Map<string, unknown>(Object.entries(api));
    for (const row of errorTable()) expect(classes.get(row.class), row.class).toBeTypeOf('function');
  });

  it('gives every code its class, its text and whether a retry makes sense', () => {
    for (const row of errorTable()) {
      const error = errorFromValue(row.value, 'here');
      expect(error).toBeInstanceOf(api.EipcError);
      expect(error).toMatchObject({ code: row.name, name: row.class, retryable: row.retryable, remote: false });
      expect(error.message).toBe(`${row.sentence} (here)`);
    }
  });
});

describe('an error', () => {
  it('begins its stack with the name of its class', () => {
    expect(makeError('EIPC_TIMEOUT', 'late').stack).toMatch(/^TimeoutError: late/);
  });

  it('of an unknown native value asks to be reported', () => {
    expect(errorFromValue(1, '')).toMatchObject({ code: 'EIPC_INTERNAL' });
  });

  it('keeps its cause', () => {
    const cause = new Error('inner');
    expect(makeError('EIPC_TRANSPORT', 'x', { cause }).cause).toBe(cause);
  });
});
