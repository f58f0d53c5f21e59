/**
 * Turns the children's reports into what the user sees while the demo runs.
 */
import { escapeText } from '../escape.js';
import type { Display } from './display.js';
import { formatIntents, formatMicroseconds } from './summary.js';
import type { EaiReport, EniReport, EniTotals } from './reports.js';
import type { Observer } from './supervise.js';

export class Progress implements Observer {
  readonly #display: Display;
  #featuresReceived = 0;

  constructor(display: Display) {
    this.#display = display;
  }

  started(role: 'ENI' | 'EAI' | 'decoy', pid: number | undefined): void {
    const purpose = role === 'decoy' ? '; its sessions are attacked, and every socket of EAI is' : '';
    this.#display.line(`${role.padEnd(3)}  process ${pid ?? '(none)'} started${purpose}`);
  }

  eai(report: EaiReport): void {
    switch (report.kind) {
      case 'listening':
        this.#display.line(`EAI  listens on ${escapeText(report.address)}`);
        break;
      case 'session': {
        const kernel = report.pid === null ? '' : `, process ${report.pid} by the kernel's word`;
        this.#display.line(`EAI  session with ${escapeText(report.serviceId)}, proved by its key${kernel}`);
        break;
      }
      case 'actuator-stopped':
        this.#display.line(`EAI  actuator stopped: ${describeReason(report.reason)}`);
        break;
      case 'progress':
      case 'done':
        this.#featuresReceived = report.totals.featuresReceived;
        break;
      case 'victim': // counted, and told at the end
      case 'failed': // said once, at the end
    }
  }

  eni(report: EniReport): void {
    switch (report.kind) {
      case 'connected':
        this.#display.line(
          `ENI  connected to ${escapeText(report.serverId)} over ${escapeText(report.transport)}, ${escapeText(report.suite)}`,
        );
        break;
      case 'progress':
        this.#display.status(formatStatus(report.totals, this.#featuresReceived));
        break;
      case 'done':
      case 'failed': // said once, at the end
    }
  }
}

/** Writes the totals so far as one line: signal read, features received of those sent, acknowledgements of intents. */
export function formatStatus(totals: EniTotals, featuresReceived: number): string {
  const { samples, rateHz, featuresSent, intentsSent, acksReceived, ackLatencyUs, lastIntents, seconds } = totals;
  const rate = seconds > 0 ? `${(featuresSent / seconds).toFixed(1)}/s` : '–';
  // The latest intent first: a narrow terminal cuts the end.
  const last = formatIntents(lastIntents.toReversed());
  return [
    `${(samples / rateHz).toFixed(1)} s`,
    `features ${featuresReceived}/${featuresSent}, ${rate}`,
    `acks ${acksReceived}/${intentsSent}, p50 ${formatMicroseconds(ackLatencyUs.p50)}, p99 ${formatMicroseconds(ackLatencyUs.p99)}`,
    `last ${last}`,
  ].join(' | ');
}

function describeReason(reason: string): string {
  const reasons: Readonly<Record<string, string>> = {
    EIPC_CLOSED_BY_PEER: 'the ENI process closed the session',
    EIPC_PEER_DOWN: 'the ENI process died',
    EIPC_TRUNCATED: 'the connection broke without a close',
  };
  const meaning = reasons[reason];
  return meaning === undefined ? escapeText(reason) : `${meaning} (${reason})`;
}
