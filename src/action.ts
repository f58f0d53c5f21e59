/**
 * What a message asks for, as policy and audit name it: the intent, the tool, or what its type stands for.
 */
import type { Message, MessageType } from './message.js';

/** Types whose action their payload names, and under which key. */
const NAMED_IN: Partial<Record<MessageType, string>> = { intent: 'intent', tool_request: 'tool' };
/** Types that are an action. */
const ACTIONS: Partial<Record<MessageType, string>> = { chat: 'ai.chat.send', complete: 'ai.complete.send' };

/** Returns the action of a message; undefined when its type has none, or its payload names none. */
export function actionOf(message: Message): string | undefined {
  const name = NAMED_IN[message.type];
  if (name === undefined) return ACTIONS[message.type];
  try {
    const payload: unknown = message.payload;
    const action: unknown =
      typeof payload === 'object' && payload !== null ? (payload as Record<string, unknown>)[name] : undefined;
    return typeof action === 'string' ? action : undefined;
  } catch {
    // A payload that cannot be decoded asks for nothing.
    return undefined;
  }
}

/** Whether messages of a type ask for something to be done. */
export function hasAction(type: MessageType): boolean {
  return NAMED_IN[type] !== undefined || ACTIONS[type] !== undefined;
}
