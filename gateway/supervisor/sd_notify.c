#include "gateway/supervisor/sd_notify.h"

#include <stdlib.h>
#include <unistd.h>

static int address_from(const char *text, struct sockaddr_un *address, socklen_t *length);
static uint64_t watchdog_from(const char *usec_text, const char *pid_text);

int sd_notify_take(struct sd_notify *out) {
    const char *socket_path = getenv("NOTIFY_SOCKET");
    int result = 0;
    *out = (struct sd_notify){.fd = -1};
    if (socket_path && *socket_path) {
        out->watchdog_ms = watchdog_from(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"));
        result = address_from(socket_path, &out->address, &out->address_length);
        if (result == 0) {
            out->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
            result = out->fd < 0 ? -errno : 0;
        }
    }
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return result;
}

int sd_notify_send(const struct sd_notify *notify, const char *lines) {
    if (notify->fd < 0) {
        return 0;
    }
    ssize_t sent = sendto(notify->fd, lines, strlen(lines), MSG_NOSIGNAL | MSG_DONTWAIT,
                          (const struct sockaddr *)&notify->address, notify->address_length);
    return sent < 0 ? -errno : 0;
}

void sd_notify_close(struct sd_notify *notify) {
    if (notify->fd >= 0) {
        close(notify->fd);
    }
    notify->fd = -1;
}

/* A path, or `@name` for the abstract namespace, where the name starts with a NUL and its length counts. */
static int address_from(const char *text, struct sockaddr_un *address, socklen_t *length) {
    size_t size = strlen(text);
    struct sockaddr_un made = {.sun_family = AF_UNIX};
    if ((text[0] != '/' && text[0] != '@') || size < 2 || size >= sizeof(made.sun_path)) {
        return -EINVAL;
    }
    memcpy(made.sun_path, text, size);
    size_t end = offsetof(struct sockaddr_un, sun_path) + size;
    if (text[0] == '@') {
        made.sun_path[0] = '\0';
    } else {
        end++;
    }
    *address = made;
    *length = (socklen_t)end;
    return 0;
}

static uint64_t watchdog_from(const char *usec_text, const char *pid_text) {
    if (!usec_text || (pid_text && strtol(pid_text, NULL, 10) != (long)getpid())) {
        return 0;
    }
    char *end = NULL;
    errno = 0;
    unsigned long long usec = strtoull(usec_text, &end, 10);
    if (errno != 0 || end == usec_text || *end != '\0' || usec_text[0] == '-' || usec == 0) {
        return 0;
    }
    uint64_t half_ms = usec / 2000;
    return half_ms > 0 ? half_ms : 1;
}
