/** The schema: each file adds its type, with the type's queries and mutations. */
import './alert.js';
import './apiKey.js';
import './apiKeyMutations.js';
import './auditEvent.js';
import './bulk.js';
import './comment.js';
import './keyOperations.js';
import './keyReview.js';
import './label.js';
import './node.js';
import './notification.js';
import './project.js';
import './rateLimit.js';
import './relationship.js';
import './requiredScopes.js';
import './scopeGrants.js';
import './task.js';
import './taskActivity.js';
import './taskChange.js';
import './taskMutations.js';
import './timeEntry.js';
import './trustedDocument.js';
import './user.js';
import './viewer.js';
import './whoCan.js';
import { builder } from './builder.js';

export const schema = builder.toSchema();
