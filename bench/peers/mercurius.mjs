// Mercurius with compiled queries (graphql-jit) over Prisma.
import Fastify from 'fastify';
import mercurius from 'mercurius';
import { keyOf, prismaResolvers, typeDefs } from './shared.mjs';

const [url] = process.argv.slice(2);
const { resolvers, tenantOf } = await prismaResolvers(url);
const app = Fastify();
app.addHook('preHandler', async (request, reply) => {
  request.tenant = await tenantOf(keyOf(request.headers));
  if (!request.tenant) await reply.code(401).send({ errors: [{ message: 'no' }] });
});
await app.register(mercurius, {
  schema: typeDefs,
  resolvers,
  jit: 1,
  context: ({ tenant }) => ({ tenant }),
});
await app.listen({ port: 0, host: '127.0.0.1' });
process.send(app.server.address().port);
