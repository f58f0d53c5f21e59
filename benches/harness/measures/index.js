/**
 * The measures by name. Each has an answering side, which says what to do with a message, and a driving side, which sends and times.
 *
 * @typedef {(payload: Uint8Array) => Uint8Array | undefined | void} Receive - called for each message; what it returns is sent back
 *
 * @typedef {object} Line - the driving end of a connection, made by a peer
 * @property {(payload: Uint8Array) => void} send - hands over one message at once; the payload may be reused afterwards
 * @property {(source: Source) => Promise<void>} pump - sends all messages of a source as fast as back-pressure allows
 * @property {(payload: Uint8Array) => Promise<any>} [request] - resolves with the payload of the reply
 * @property {() => Promise<Pick<Line, 'request' | 'close'>>} [connect] - makes one more connection
 * @property {string} [description] - what the contestant settled on, for the report
 * @property {Promise<{ code: string }>} [closed] - resolves with the end of the connection
 * @property {() => Promise<void>} close
 *
 * @typedef {object} Source - where a pump takes its messages from
 * @property {() => Buffer} payload - makes a payload
 * @property {(payload: Uint8Array) => boolean} stamp - makes it the next message; false when that message is the last one
 *
 * @typedef {object} Settings
 * @property {number} size - bytes of payload
 * @property {number} seconds - measured
 * @property {number} warmUpSeconds - before that
 * @property {number} rate - messages a second of the fixed-rate measure
 *
 * @typedef {(reason: string) => void} Fail - reports a wrong message and ends this side
 *
 * @typedef {object} Measure
 * @property {string} title
 * @property {'latency' | 'throughput' | 'idle' | 'memory'} kind
 * @property {string} explanation - one line under the title of its table
 * @property {boolean} hasSize - whether the size of the payload matters
 * @property {boolean} [killsAnswerer] - whether the driving process ends the answering one
 * @property {(settings: Settings, fail: Fail) => { receive: Receive, respond?: (payload: Uint8Array) => unknown }} answer
 * @property {(settings: Settings, fail: Fail) => { receive: Receive, run: (line: Line) => Promise<object> }} drive
 */
import { connect } from './connect.js';
import { fixedRate } from './fixed-rate.js';
import { oneWay, oneWayBatch } from './one-way.js';
import { memory } from './memory.js';
import { parked } from './parked.js';
import { peerDown } from './peer-down.js';
import { request } from './request.js';
import { roundTrip } from './round-trip.js';

/** @type {Readonly<Record<string, Measure>>} */
export const MEASURES = {
  'round-trip': roundTrip,
  request,
  'fixed-rate': fixedRate,
  'one-way': oneWay,
  'one-way-batch': oneWayBatch,
  connect,
  parked,
  memory,
  'peer-down': peerDown,
};
