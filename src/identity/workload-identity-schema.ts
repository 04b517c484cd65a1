import { z } from 'zod'
import type { MaskFields } from '../fields/field-mask.ts'
import { testTime } from '../fields/test-time.ts'
import { title } from '../fields/title.ts'
import { PROVIDER_TYPES } from '../provider/providers.ts'

// Bounds keep a policy's literals within the memory that its WASM may declare, and lists within what people can read.
const MAX_RULES = 100
const MAX_ENTRIES = 100 // refs, claims, values, ids or roles of one rule
const MAX_AUDIENCES = 20 // aud must be one of them; more would mean that the audience no longer separates anything
const MAX_TITLE = 200 // one line of a log
const MAX_NAME = 255 // an aud or an issuer's URL: what a token may carry
const MAX_TESTS = 100 // of people's making; each is run at every save
const MAX_CLAIMS = 16 * 1024 // characters of a test's claims: what a token may have
const MAX_VALUE = 1024 // a claim's value, of which a ref is the longest

const text = z.string().max(MAX_NAME).min(1)
const ruleId = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/,
    "must be 1 to 63 letters, digits, '-' and '_', with a letter or digit first",
  )
  .regex(/^(?!rule-[0-9]{10})/, "must have at most nine digits after 'rule-'")
const claimName = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9_.:/-]{0,99}$/,
    'is not the name of a claim: letters, digits and _ with a letter first, at most 100',
  )
const digits = z.string().regex(/^[1-9][0-9]{0,18}$/, 'must be an id in digits, for example "20"')
const pipelineSource = z
  .string()
  .regex(
    /^[a-z][a-z0-9_]{0,62}$/,
    'must be a pipeline source in lower case as its provider writes it, for example push',
  )

const PATTERN = '`*` is any text without a slash, `/**` at the end any further segments.'
const refPatternSchema = z
  .strictObject({
    type: z.enum(['BRANCH', 'TAG']),
    pattern: z.string().describe(PATTERN),
  })
  .meta({ examples: [{ type: 'BRANCH', pattern: 'main' }] })

const ruleSchema = z.strictObject({
  id: ruleId.optional(),
  title: z.string().max(MAX_TITLE).optional(),
  disabled: z.boolean().optional().describe('A disabled rule lets nobody in.'),
  group: z
    .string()
    .describe('The path of a group or user, its subgroups are in it; of GitHub, an organisation or user.'),
  project: z
    .string()
    .optional()
    .describe(
      'Its path within the group; of GitHub, a repository. All of the group and its subgroups where absent.',
    ),
  refs: z
    .array(refPatternSchema)
    .max(MAX_ENTRIES)
    .optional()
    .describe('One must match; all branches and tags where absent or empty.'),
  protectedRefsOnly: z.boolean().optional().describe('By default true where refs are given, else false.'),
  mergeRequests: z
    .enum(['NONE', 'SAME_PROJECT'])
    .optional()
    .describe(
      'By default NONE where refs are given, else SAME_PROJECT; never from a fork. Of GitHub NONE alone.',
    ),
  pipelineSources: z
    .array(pipelineSource)
    .max(MAX_ENTRIES)
    .optional()
    .describe('By default push, web, schedule and api; of GitHub push, workflow_dispatch and schedule.'),
  claims: z
    .record(claimName, z.array(z.string().max(MAX_VALUE)).min(1).max(MAX_ENTRIES))
    .optional()
    .describe('Further claims, each with the values of which it must be one.'),
  ids: z
    .strictObject({
      projectIds: z.array(digits).max(MAX_ENTRIES).optional(),
      namespaceIds: z.array(digits).max(MAX_ENTRIES).optional(),
    })
    .optional(),
  roles: z
    .array(text)
    .max(MAX_ENTRIES)
    .optional()
    .describe('What an access token carries that this rule let in.'),
})

/** The shape of its config. */
export const configSchema = z.strictObject({
  providerType: z.enum(PROVIDER_TYPES),
  issuerUrl: text,
  allowedAudiences: z
    .array(text)
    .min(1)
    .max(MAX_AUDIENCES)
    .optional()
    .describe('Of which the token must have exactly one as its aud; the URL of the issuer where absent.'),
  rules: z.array(ruleSchema).min(1).max(MAX_RULES),
  conditions: z
    .string()
    .optional()
    .describe(
      'Rego of its own, `package claimgate.conditions`, that must be met too; none where absent or empty.',
    ),
})

/** The reasons that a test may expect: those which claims, rules and audience decide. */
export const DENIAL_REASONS = [
  'token_issuer',
  'token_claims',
  'identity_issuer',
  'token_audience',
  'condition_not_met',
  'denied_by_conditions',
  'denied_by_guardrails',
] as const
const TEST_REASONS = ['allowed', ...DENIAL_REASONS] as const

const testSchema = z.strictObject({
  title,
  claims: z
    .record(z.string(), z.unknown())
    .refine(
      (claims) => JSON.stringify(claims).length <= MAX_CLAIMS,
      `must have at most ${MAX_CLAIMS} characters of JSON`,
    )
    .meta({
      description: 'What a token says, of whatever type.',
      examples: [{ project_path: 'my-group/my-project', ref: 'main' }],
    }),
  time: testTime.optional(),
  expect: z.enum(['ALLOWED', 'DENIED']).describe('What an exchange with such a token must come to.'),
  reason: z
    .enum(TEST_REASONS)
    .optional()
    .describe('The reason that it must have then; any will do where absent.'),
})

const STATES = ['ACTIVE', 'DISABLED', 'DELETED'] as const

const EXAMPLE = {
  title: 'GitLab Deploy',
  workloadIdentityConfig: {
    providerType: 'GITLAB',
    issuerUrl: 'https://gitlab.com',
    rules: [
      {
        title: 'Deploy from main',
        group: 'my-group',
        project: 'my-project',
        refs: [{ type: 'BRANCH', pattern: 'main' }],
        roles: ['roles/gitopsServiceAgent'],
      },
    ],
  },
}

/** The shape of a create's body: what the author states, and output-only fields, whose content is not looked at. */
export const workloadIdentitySchema = z
  .strictObject({
    name: z.string().optional(),
    email: z.string().optional(),
    title: title.optional(),
    // The others have a message of their own, so that what is described is what passes.
    state: z
      .enum(STATES)
      .optional()
      .meta({ enum: ['ACTIVE'] }),
    etag: z.unknown().optional(),
    createTime: z.unknown().optional(),
    updateTime: z.unknown().optional(),
    policyDigest: z.unknown().optional(),
    acknowledgements: z.unknown().optional(),
    findings: z.unknown().optional(),
    notices: z.unknown().optional(),
    tokenLifetimeSeconds: z.int().min(60).max(3600).optional(),
    subjectTokenUse: z
      .enum(['ONCE', 'MANY'])
      .optional()
      .describe('How often a job may exchange its token; ONCE where absent.'),
    tokenAudiences: z
      .array(text)
      .max(MAX_AUDIENCES)
      .optional()
      .describe('What an exchange may ask for as aud, beside ours.'),
    recordedClaims: z
      .array(claimName)
      .max(MAX_ENTRIES)
      .optional()
      .describe('Personal claims that are recorded, and may be conditions.'),
    workloadIdentityConfig: configSchema,
    tests: z
      .array(testSchema)
      .max(MAX_TESTS)
      .optional()
      .describe('Run on the policy at every save, which one that fails refuses.'),
  })
  .meta({ examples: [EXAMPLE] })

export type WorkloadIdentityBody = z.infer<typeof workloadIdentitySchema>
export type RuleBody = z.infer<typeof ruleSchema>

/**
 * The shape of a change's body: parts of the resource, or all of it as it was read, where what is ours must be what it
 * is. What the parts make of the identity is read by the schema above.
 */
export const workloadIdentityPatchSchema = workloadIdentitySchema.extend({
  etag: z.string().optional(),
  state: z
    .enum(STATES)
    .optional()
    .meta({ enum: ['ACTIVE', 'DISABLED'] }),
  workloadIdentityConfig: configSchema.partial().optional(),
})

export type WorkloadIdentityPatchBody = z.infer<typeof workloadIdentityPatchSchema>

/** What is ours of the resource: read back with it, and passed over. */
export const OUTPUT_ONLY: readonly string[] = [
  'etag',
  'createTime',
  'updateTime',
  'policyDigest',
  'acknowledgements',
  'findings',
  'notices',
]

/** The paths that an update may name, and the other fields; lists are replaced whole. */
export const IDENTITY_FIELDS: MaskFields = {
  updatable: [
    'title',
    'state',
    'tokenLifetimeSeconds',
    'subjectTokenUse',
    'tokenAudiences',
    'recordedClaims',
    'tests',
    'workloadIdentityConfig',
    ...Object.keys(configSchema.shape).map((name) => `workloadIdentityConfig.${name}`),
  ],
  outputOnly: ['name', 'email', ...OUTPUT_ONLY],
}
