/* How long events take from Kafka's timestamp to here. The two clocks may differ: a ping tells by how much, as NTP does
 * (the server's time belongs to the middle of the round trip), and the quickest ping is believed. Times are counted in
 * buckets an eighth of their size wide, so memory is fixed. Belongs to a session; no I/O. */
#ifndef MOONX_GATEWAY_CLIENT_LATENCY_H
#define MOONX_GATEWAY_CLIENT_LATENCY_H

#include "common/base.h"

#define LATENCY_BUCKETS 320u /* up to 2^41 us, 25 days */

struct latency {
    bool clock_known;
    int64_t ahead_us;       /* the server's clock less this one's */
    uint64_t round_trip_us; /* of the ping that told */
    uint64_t count, most_us;
    uint64_t buckets[LATENCY_BUCKETS];
};

/* A pong came at now_us of this machine's clock, round_trip_us after its ping. */
void latency_take_pong(struct latency *latency, int64_t server_ms, int64_t now_us,
                       uint64_t round_trip_us);

/* An event with this timestamp came now. Not counted before the clocks are known. */
void latency_take_event(struct latency *latency, int64_t event_ms, int64_t now_us);

/* The time within which `percent` of the events came: the upper end of its bucket, at most most_us; 0 without events. */
uint64_t latency_percentile(const struct latency *latency, unsigned percent);

#endif
