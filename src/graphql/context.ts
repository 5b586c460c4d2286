/** What every resolver works with. One per request, never shared. */
import type { InvitationService } from '../accounts/invitationService.js';
import type { AppService } from '../apps/appService.js';
import type { Consents } from '../apps/consent.js';
import type { Actor } from '../audit/entry.js';
import type { Principal } from '../auth/principal.js';
import type { Session } from '../auth/session.js';
import type { Database } from '../db/database.js';
import type { Idempotency } from '../db/idempotency.js';
import type { Reader } from '../db/reader.js';
import type { Reach, TenantDatabase } from '../db/tenant.js';
import type { UnitOfWork } from '../db/unitOfWork.js';
import type { TrustedDocuments } from '../documents/trustedDocuments.js';
import type { ApiKeyService } from '../keys/apiKeyService.js';
import { reachesEnvironment } from '../keys/authority.js';
import type { KeyMonitor } from '../keys/keyMonitor.js';
import type { OperationSets } from '../keys/operationSets.js';
import type { ScopeGrants } from '../keys/scopeGrants.js';
import type { Tightenings } from '../keys/tightening.js';
import type { UsedOperation } from '../keys/usage.js';
import type { AddressLimits } from '../limits/addressLimits.js';
import type { AdmissionController, Release } from '../limits/admissionController.js';
import type { AnswerBudget, AnswerMemory } from '../limits/answerMemory.js';
import type { FieldLimits } from '../limits/fieldLimits.js';
import type { KeyLimits } from '../limits/keyLimits.js';
import { Meter } from '../limits/meter.js';
import type { Pacing } from '../limits/pacing.js';
import type { TaskEvents } from '../messaging/taskEvents.js';
import type { Metrics } from '../metrics.js';
import type { Operation, ValidDocument } from '../operations/document.js';
import type { DocumentCache } from '../operations/documentCache.js';
import type { ProjectService } from '../projects/projectService.js';
import type { Scope } from '../scopes/scope.js';
import type { BulkService } from '../tasks/bulkService.js';
import type { CommentService } from '../tasks/commentService.js';
import type { LabelService } from '../tasks/labelService.js';
import type { NotificationService } from '../tasks/notificationService.js';
import type { RelationshipService } from '../tasks/relationshipService.js';
import type { StateService } from '../tasks/stateService.js';
import type { TaskService } from '../tasks/taskService.js';
import type { TimeEntryService } from '../tasks/timeEntryService.js';
import type { TrashService } from '../tasks/trash/trashService.js';
import type { UserService } from '../users/userService.js';
import type { AdmittedOperation } from './admittedOperation.js';
import type { Introspection } from './introspection.js';
import type { RememberedAnswers } from './plans/rememberedAnswers.js';

/** Who sent the request, from where. */
export interface RequestInfo {
  readonly requestId: string;
  readonly ip: string | null;
  readonly userAgent: string | null;
}

/** Built once, at start-up. */
export interface Services {
  readonly database: Database;
  readonly clock: () => Date;
  readonly units: UnitOfWork;
  readonly keys: ApiKeyService;
  readonly operationSets: OperationSets;
  readonly tightenings: Tightenings;
  readonly scopeGrants: ScopeGrants;
  readonly tasks: TaskService;
  readonly relationships: RelationshipService;
  readonly bulk: BulkService;
  readonly comments: CommentService;
  readonly labels: LabelService;
  readonly states: StateService;
  readonly trash: TrashService;
  readonly notifications: NotificationService;
  readonly timeEntries: TimeEntryService;
  readonly projects: ProjectService;
  readonly users: UserService;
  readonly invitations: InvitationService;
  readonly apps: AppService;
  readonly consents: Consents;
  readonly keyLimits: KeyLimits;
  readonly fieldLimits: FieldLimits;
  readonly admission: AdmissionController;
  readonly pacing: Pacing;
  readonly keyMonitor: KeyMonitor;
  readonly addressLimits: AddressLimits;
  readonly taskEvents: TaskEvents;
  readonly idempotency: Idempotency;
  readonly trustedDocuments: TrustedDocuments;
  readonly documents: DocumentCache;
  readonly introspection: Introspection;
  readonly metrics: Metrics;
  readonly answerMemory: AnswerMemory;
  readonly rememberedAnswers: RememberedAnswers;
}

/** What a client takes: whole results, and streams of them. */
export interface Accepts {
  readonly results: boolean;
  readonly streams: boolean;
}

/** What a request turned out to run, filled in on the way and counted when it has been answered. */
interface RequestUse {
  readonly operations: string[];
  readonly scopes: Set<string>;
  /** The same, as they are known. */
  readonly ran: Operation[];
  /** Which operations of its sets a locked key ran. */
  readonly locked: UsedOperation[];
  /** Scopes that were missing. */
  readonly missing: Set<string>;
  /** Projects of which a key that is bound to some got or changed rows. */
  readonly projects: Set<string>;
  /** Codes of the errors in the answer. */
  readonly errors: Set<string>;
  /** By the cost of each operation, or one for the whole of it, charged when it came, as REST clients expect. */
  counts: 'cost' | 'request';
  /** What the whole of the answer may take. */
  readonly budget: AnswerBudget;
  /** In which forms the client takes the answer. */
  accepts: Accepts;
  /** Tells that a large body was read, which others wait for. */
  bodyRead?: Release | undefined;
  /** Whether what was found depends on the rows, the operation and its variables alone. */
  isRememberable: boolean;
  /** Whether anything of it is a mutation that ran. */
  mutates: boolean;
  /** Whether the answer goes on: it is a subscription's. */
  isStream: boolean;
  /** Whether fields that the calling key may ask for itself were found to name that key, and no other. */
  ownKey: boolean;
  /** Set when the request has been answered, or its client has left. */
  ended: boolean;
}

export interface Context {
  readonly principal: Principal;
  readonly actor: Actor;
  /** Bound to the key's workspace and environment; reads alone. */
  readonly db: TenantDatabase;
  /** Whose rows it reaches. */
  readonly reach: Reach;
  readonly request: RequestInfo;
  readonly session: Session;
  readonly meter: Meter;
  readonly use: RequestUse;
  /** For what it reads. */
  readonly reader: Reader;
  readonly services: Services;
  /** What is known of the document, once it was parsed (src/graphql/plugins/documentChecks.ts). */
  readonly document?: ValidDocument;
  /** Where the operation passed the gate already, and has no plan. */
  readonly admitted?: AdmittedOperation;
}

export function createContext(
  principal: Principal,
  request: RequestInfo,
  session: Session,
  services: Services,
): Context {
  const { workspaceId, environment, keyId, userId, bound } = principal;
  const kind = reachesEnvironment(principal.authority, environment === 'LIVE' ? 'TEST' : 'LIVE') ? 'keys' : 'tenant';
  const reach: Reach = { workspaceId, environment, kind, bound };
  const use: RequestUse = {
    operations: [],
    scopes: new Set(),
    ran: [],
    locked: [],
    missing: new Set(),
    projects: new Set(),
    errors: new Set(),
    counts: 'cost',
    budget: services.answerMemory.budgetFor(principal.lineageId),
    accepts: { results: true, streams: true },
    isRememberable: true,
    mutates: false,
    isStream: false,
    ownKey: false,
    ended: false,
  };
  return {
    principal,
    actor: {
      workspaceId,
      environment,
      keyId,
      userId,
      ip: request.ip,
      userAgent: request.userAgent,
      requestId: request.requestId,
      bound,
    },
    db: services.database.forTenant(reach),
    reach,
    request,
    session,
    meter: new Meter(principal, services.keyLimits, services.keyMonitor, services.pacing),
    use,
    reader: {
      id: keyId,
      isGone: () => use.ended,
      take: use.budget.read,
      sawProject: (id) => void use.projects.add(id),
      usedScope: (scope) => void use.scopes.add(scope as Scope),
    },
    services,
  };
}
