#include "gateway/client/summary.h"

static void put_latency(FILE *out, const struct latency *latency) {
    double ahead = (double)latency->ahead_us / 1000;
    fprintf(out, "moonx-client: Kafka to here: p50 %.1f ms, p99 %.1f ms, most %.1f ms",
            (double)latency_percentile(latency, 50) / 1000,
            (double)latency_percentile(latency, 99) / 1000, (double)latency->most_us / 1000);
    fprintf(out, " (%llu events; the server's clock is %.1f ms %s, ping %.1f ms)\n",
            (unsigned long long)latency->count, ahead < 0 ? -ahead : ahead,
            ahead < 0 ? "behind" : "ahead", (double)latency->round_trip_us / 1000);
}

void summary_print(FILE *out, const struct session *session) {
    double seconds = (double)(session->last_ms - session->first_ms) / 1000;
    fprintf(out, "moonx-client: %lu events", session->events);
    if (session->events > 1 && seconds > 0) {
        /* between the first and the last: one less than there are */
        fprintf(out, " in %.1f s, %.1f/s", seconds, (double)(session->events - 1) / seconds);
    }
    if (session->connections > 1) {
        fprintf(out, ", %lu connections", session->connections);
    }
    if (session->skipped > 0) {
        fprintf(out, ", at most %lu skipped by the server", session->skipped);
    }
    fputc('\n', out);
    if (session->latency.count > 0) {
        put_latency(out, &session->latency);
    }
}
