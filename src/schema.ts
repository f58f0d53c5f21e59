/**
 * Schemas of payloads, of whatever library: the interface they share (Standard Schema 1, https://standardschema.dev), and what a payload
 * that does not fit means here.
 */
import { inspect } from 'node:util';

import { makeError } from './errors.js';
import type { EipcError } from './errors.js';

/** A schema as valibot, zod, arktype and others make them. */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | PromiseLike<SchemaResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

/** What validating a value said. */
export type SchemaResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] };

/** One thing that is wrong with a value. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: unknown })[] | undefined;
}

/** Issues that an error names; more would only hide them. */
const MAX_NAMED = 3;

/** Tells whether a value is a schema. */
export function isSchema(value: unknown): value is StandardSchema {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null || !('~standard' in value))
    return false;
  const standard = value['~standard'];
  return (
    typeof standard === 'object' &&
    standard !== null &&
    'validate' in standard &&
    typeof standard.validate === 'function'
  );
}

/** Makes the error for a payload that does not fit. */
export function badPayload(what: string, issues: readonly SchemaIssue[]): EipcError {
  return makeError('EIPC_BAD_PAYLOAD', `${what}: ${issuesText(issues)}`);
}

/** Says what is wrong, each issue with the place it is in. */
export function issuesText(issues: readonly SchemaIssue[]): string {
  const named = issues.slice(0, MAX_NAMED).map(({ message, path = [] }) => {
    const place = path.map((step) => String(typeof step === 'object' ? step.key : step)).join('.');
    return place === '' ? message : `${inspect(place)}: ${message}`;
  });
  const more = issues.length - named.length;
  return named.join('; ') + (more > 0 ? `; and ${more} more` : '');
}
