/**
 * The original's policy: its three tiers, and as aliases the dotted names that its capability table has for the same actions.
 */
import type { PolicyRule } from './policy-rule.js';

const SAFE = ['ui.cursor.move', 'ui.scroll', 'ui.select', 'ui.focus', 'sensor:read', 'device:read', 'status:read'];
const CONTROLLED = ['device:write', 'actuator:write', 'motor:move', 'iot:publish', 'config:write'];
const RESTRICTED = ['system:reboot', 'system:shutdown', 'firmware:update', 'security:modify', 'policy:modify'];

/** Its rules. The original asks nothing of whoever wants something restricted; here the operator is asked only for who holds the right. */
export const SAFE_RULES: readonly PolicyRule[] = [
  ...SAFE.map((action) => ({ action, class: 'safe' as const })),
  ...CONTROLLED.map((action) => ({ action, class: 'controlled' as const, capability: 'device:write' })),
  ...RESTRICTED.map((action) => ({ action, class: 'restricted' as const, capability: 'system:restricted' })),
];

/** Other names of the same actions. */
export const SAFE_ALIASES: Readonly<Record<string, string>> = {
  'device.sensor.read': 'sensor:read',
  'device.status': 'status:read',
  'device.actuator.write': 'actuator:write',
  'system.reboot': 'system:reboot',
  'system.update': 'firmware:update',
};
