/* What the kernel knows about a client's way, asked for where few connections need it: once at authentication, and when a
 * pong is missing. Zeros for a socket that is none of TCP. */
#ifndef MOONX_GATEWAY_CONNECTION_CONN_TCP_H
#define MOONX_GATEWAY_CONNECTION_CONN_TCP_H

#include "common/base.h"

struct conn_tcp {
    uint64_t round_trip_ms; /* as measured last */
    uint64_t acknowledged;  /* bytes that have arrived, since the connection began */
    uint64_t
        silent_ms; /* so long what was sent has had no answer from its kernel; 0: nothing waits for one */
    uint32_t unsent; /* bytes that wait in the kernel until the client reads */
};

struct conn_tcp conn_tcp_look(int fd);

#endif
