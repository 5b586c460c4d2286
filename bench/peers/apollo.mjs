// Apollo Server 5 over Prisma.
import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';
import { GraphQLError } from 'graphql';
import { keyOf, prismaResolvers, typeDefs } from './shared.mjs';

const [url] = process.argv.slice(2);
const { resolvers, tenantOf } = await prismaResolvers(url);
const server = new ApolloServer({ typeDefs, resolvers, csrfPrevention: false });
const { url: address } = await startStandaloneServer(server, {
  listen: { port: 0, host: '127.0.0.1' },
  async context({ req }) {
    const tenant = await tenantOf(keyOf(req.headers));
    if (!tenant) throw new GraphQLError('no', { extensions: { http: { status: 401 } } });
    return { tenant };
  },
});
process.send(Number(new URL(address).port));
