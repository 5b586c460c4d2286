/** What clients of the protocol find out about authorization before they have a key. */
import { GRANTABLE } from '../scopes/scope.js';

/** Of the resource /mcp (RFC 9728 3.1). */
export const METADATA_PATH = '/.well-known/oauth-protected-resource/mcp';

/** RFC 9728 */
export const protectedResource = ({ origin }: URL) => ({
  resource: `${origin}/mcp`,
  resource_name: 'Taskgate',
  authorization_servers: [origin],
  scopes_supported: GRANTABLE,
  bearer_methods_supported: ['header'],
});

/** RFC 8414: a key's id and the key itself are the credentials of a client. */
export const authorizationServer = ({ origin }: URL) => ({
  issuer: origin,
  token_endpoint: `${origin}/api/auth/oauth2/token`,
  token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
  grant_types_supported: ['client_credentials'],
  response_types_supported: [],
  scopes_supported: GRANTABLE,
});
