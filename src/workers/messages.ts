import type { MetricsAudience, MetricsSnapshot } from '../telemetry/metrics.ts'

/** From a server process to the one that started it. */
export type FromWorker =
  | { readonly kind: 'listening'; readonly url: string }
  | { readonly kind: 'snapshot'; readonly id: number; readonly snapshot: MetricsSnapshot }
  | { readonly kind: 'readMetrics'; readonly id: number; readonly audience: MetricsAudience }

/** To a server process. */
export type ToWorker =
  | { readonly kind: 'takeSnapshot'; readonly id: number }
  | { readonly kind: 'metrics'; readonly id: number; readonly text: string }
