/* Who listens on a TCP port, as far as /proc tells: for the one line that refuses a busy port. Used by the
 * supervisor alone, at its start. */
#ifndef MOONX_GATEWAY_SUPERVISOR_PORT_OWNER_H
#define MOONX_GATEWAY_SUPERVISOR_PORT_OWNER_H

#include "common/base.h"

#include <sys/types.h>

struct port_owner {
    pid_t pid;
    char name[16]; /* the command's name; what can't be printed is shown as ? */
};

/* -ENOENT: nobody found (another user's processes hide their descriptors). */
int port_owner_find(unsigned port, struct port_owner *out) MUST_CHECK;

#endif
