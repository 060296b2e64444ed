#include "gateway/connection/conn_tcp.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct conn_tcp conn_tcp_look(int fd) {
    struct tcp_info info = {.tcpi_rtt = 0}; /* an old kernel fills less of it */
    socklen_t size = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) {
        return (struct conn_tcp){0};
    }
    return (struct conn_tcp){.round_trip_ms = info.tcpi_rtt / 1000,
                             .acknowledged = info.tcpi_bytes_acked,
                             .silent_ms = info.tcpi_unacked > 0 ? info.tcpi_last_ack_recv : 0,
                             .unsent = info.tcpi_notsent_bytes};
}
