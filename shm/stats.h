/* Counters in shared memory. One writer each (ingest or one worker), read by whoever is asked; a worker's
 * successor goes on with its predecessor's counters and sets the gauges to 0. Relaxed accesses: a reader
 * sees each counter whole, not all of them at one moment. */
#ifndef MOONX_SHM_STATS_H
#define MOONX_SHM_STATS_H

#include "shm/order.h"
#include "shm/stats_table.h"

enum stat_id {
#define X(id, name, kind, owner, help) STAT_##id,
    STATS_TABLE(X)
#undef X
        STAT_COUNT
};

enum stat_kind { STAT_counter, STAT_gauge };
enum stat_owner { STAT_ingest, STAT_worker };

struct stat_info {
    const char *name; /* with the prefix moonx_ */
    enum stat_kind kind;
    enum stat_owner owner;
    const char *help;
};
extern const struct stat_info stats_info[STAT_COUNT];

struct stats {
    shm_u64 values[STAT_COUNT];
};

/* Single writer: a plain add, no locked instruction. */
static inline void stats_add(struct stats *stats, enum stat_id id, uint64_t n) {
    store_relaxed(&stats->values[id], load_relaxed(&stats->values[id]) + n);
}
static inline void stats_sub(struct stats *stats, enum stat_id id, uint64_t n) {
    store_relaxed(&stats->values[id], load_relaxed(&stats->values[id]) - n);
}
static inline void stats_set(struct stats *stats, enum stat_id id, uint64_t value) {
    store_relaxed(&stats->values[id], value);
}
static inline uint64_t stats_get(const struct stats *stats, enum stat_id id) {
    return load_relaxed(&stats->values[id]);
}
/* Gauges to 0: a new incarnation has none of its predecessor's connections. */
void stats_reset_gauges(struct stats *stats);

#endif
