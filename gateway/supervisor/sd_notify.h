/* Telling systemd how the service is: datagrams to $NOTIFY_SOCKET (sd_notify(3)), without its library.
 * Used by the supervisor alone, from start to stop. Without the variable every call does nothing. */
#ifndef MOONX_GATEWAY_SUPERVISOR_SD_NOTIFY_H
#define MOONX_GATEWAY_SUPERVISOR_SD_NOTIFY_H

#include "common/base.h"

#include <sys/socket.h>
#include <sys/un.h>

struct sd_notify {
    int fd; /* -1: nobody listens */
    struct sockaddr_un address;
    socklen_t address_length;
    uint64_t watchdog_ms; /* how often to say WATCHDOG=1 (half of what systemd allows); 0: never */
};

/* Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment, so that children don't
 * speak in the supervisor's name. 0, also when nobody listens; -EINVAL for an address that is no unix
 * socket's, or -errno; *out can be used and closed in every case. */
int sd_notify_take(struct sd_notify *out) MUST_CHECK;

/* One or several lines NAME=VALUE. Never waits; -errno when it could not be sent. */
int sd_notify_send(const struct sd_notify *notify, const char *lines);

void sd_notify_close(struct sd_notify *notify);

#endif
