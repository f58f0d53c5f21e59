/**
 * The public API of eipc. Names only; everything is made elsewhere.
 */
export { AuditLogger } from './audit/audit-logger.js';
export type { AuditLoggerOptions, AuditLoggerStats } from './audit/audit-logger.js';
export type { AuditDecision, AuditEntry, AuditSink } from './audit-sink.js';
export { verifyAudit } from './audit/verify-audit.js';
export type { AuditFault, AuditFaultReason, AuditVerdict, VerifyAuditOptions } from './audit/verify-audit.js';
export { certificateFingerprint, developmentCertificate } from './certificate.js';
export type { DevelopmentCertificate, DevelopmentCertificateOptions, Pem } from './certificate.js';
export { ClientEndpoint, connect } from './client.js';
export type { CloseReason } from './close-reason.js';
export { jsonCodec, msgpackCodec } from './codec.js';
export type { Codec } from './codec.js';
export { createMessage } from './create-message.js';
export type { MessageFields } from './create-message.js';
export { decrypt, encrypt } from './encryption.js';
export { Endpoint } from './endpoint.js';
export type { EndpointEvent } from './endpoint-events.js';
export { optionsFromEnvironment } from './environment.js';
export type { EnvironmentOptions, EnvironmentSource } from './environment.js';
export type { EnvironmentTls } from './environment-tls.js';
export type { EventType } from './event-type.js';
export {
  AuthError,
  BackpressureError,
  CapabilityError,
  ClosedError,
  EipcError,
  IntegrityError,
  PeerDownError,
  PolicyError,
  ProtocolError,
  ReplayError,
  TimeoutError,
  TransportError,
} from './errors.js';
export type { Delivered, EipcErrorOptions, ErrorCode } from './errors.js';
export {
  AckEvent,
  AuditEvent,
  ChatRequestEvent,
  ChatResponseEvent,
  CompleteRequestEvent,
  CompleteResponseEvent,
  FeatureStreamEvent,
  HeartbeatEvent,
  IntentEvent,
  PolicyResultEvent,
  ToolRequestEvent,
} from './events.js';
export {
  decodeFrame,
  encodeFrame,
  FLAG_COMPRESS,
  FLAG_ENCRYPTED,
  FLAG_HMAC,
  MAC_SIZE,
  MAGIC,
  MAX_FRAME_SIZE,
  PROTOCOL_VERSION,
  sign,
  signableBytes,
  verify,
} from './frame.js';
export type { DecodedFrame, Frame } from './frame.js';
export { decodeHeader, encodeHeader } from './frame-header.js';
export type { DecodedHeader, FrameHeader } from './frame-header.js';
export { inspectFrame } from './inspect-frame.js';
export type { InspectedField, Inspection } from './inspect-frame.js';
export { HeartbeatSender } from './heartbeat-sender.js';
export type { HeartbeatSenderOptions, HeartbeatSenderStats } from './heartbeat-sender.js';
export { Key } from './key.js';
export type { KeyOptions } from './key.js';
export { readKeyFile, writeKeyFile } from './key-file.js';
export type { KeyFileOptions } from './key-file.js';
export { Keyring } from './keyring/keyring.js';
export type { KeyLifeOptions, KeyringOptions, RotateOptions } from './keyring/keyring.js';
export type { KeyringEntry, KeyState } from './keyring/held-key.js';
export type { EndpointState } from './lifecycle.js';
export { Message, messageTypeFromByte, messageTypeToByte } from './message.js';
export type { MessageType, PayloadFormat, Priority } from './message.js';
export type {
  Access,
  ClientMacOptions,
  CloseOptions,
  CommonOptions,
  ConnectOptions,
  HeartbeatPolicy,
  LaneOptions,
  ListenOptions,
  LogRecord,
  MacOptions,
  OnFull,
  ReconnectPolicy,
  RequestOptions,
  ServerMacOptions,
  ServiceOptions,
  V1Options,
  VectorOptions,
  WaitOptions,
  WaitStrategy,
} from './options.js';
export type { Outgoing } from './outgoing.js';
export type { Peer } from './peer.js';
export { ReplayTracker } from './replay-tracker.js';
export { RingBuffer } from './ring-buffer.js';
export type { RingBufferOptions } from './ring-buffer.js';
export { ringConnection } from './ring-connection.js';
export { Router } from './router.js';
export type { DispatchResult, HandleOptions, Handler, HandlerContext } from './router.js';
export type { SchemaIssue, SchemaResult, StandardSchema } from './schema.js';
export { listen, Server, ServerEndpoint } from './server.js';
export type { EndpointStats, PerLane, ServerStats } from './stats.js';
export type { Suite } from './suites.js';
export type { TlsOptions } from './tls-options.js';
export type { TransportName } from './transport/address.js';
export type { Connection, Transport } from './transport/connection.js';
export { memory, pipe, tcp, tls, unix } from './transport/stream-transport.js';
export type { TlsStatus } from './transport/tls-channel.js';
export type { PeerTransport } from './transport/transport.js';
