/** What clients find out of the authorization server before they know anything of it. */
import { GRANTABLE } from '../../scopes/scope.js';

/** RFC 8414. With client_credentials a key's id and the key itself are the credentials of a client. */
export const authorizationServer = ({ origin }: URL, canRegister: boolean) => ({
  issuer: origin,
  authorization_endpoint: `${origin}/oauth/authorize`,
  token_endpoint: `${origin}/api/auth/oauth2/token`,
  token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
  revocation_endpoint: `${origin}/api/auth/oauth2/revoke`,
  revocation_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
  ...(canRegister && { registration_endpoint: `${origin}/api/auth/oauth2/register` }),
  grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
  response_types_supported: ['code'],
  response_modes_supported: ['query'],
  code_challenge_methods_supported: ['S256'],
  authorization_response_iss_parameter_supported: true,
  scopes_supported: GRANTABLE,
});
