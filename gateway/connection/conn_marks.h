/* What is kept of each connection's token, so that a revocation finds it: beside the connections, by their index, in
 * chunks that are made when the first connection of theirs signs in. 24 bytes a connection. One worker owns it; part
 * of its connection table. */
#ifndef MOONX_GATEWAY_CONNECTION_CONN_MARKS_H
#define MOONX_GATEWAY_CONNECTION_CONN_MARKS_H

#include "gateway/access/revocation.h"

struct conn_marks { /* all zero at the start */
    struct revocation_marks **chunks;
    uint32_t chunk_count;
};

void conn_marks_done(struct conn_marks *table);
/* -ENOMEM. */
int conn_marks_set(struct conn_marks *table, uint32_t index,
                   const struct revocation_marks *marks) MUST_CHECK;
/* Of a connection that has signed in. */
const struct revocation_marks *conn_marks_of(const struct conn_marks *table, uint32_t index);

#endif
