#include "shm/stats.h"

/* clang-format off */
const struct stat_info stats_info[STAT_COUNT] = {
#define X(id, name, kind, owner, help) [STAT_##id] = {"moonx_" name, STAT_##kind, STAT_##owner, help},
    STATS_TABLE(X)
#undef X
};
/* clang-format on */

void stats_reset_gauges(struct stats *stats) {
    for (unsigned id = 0; id < STAT_COUNT; id++)
        if (stats_info[id].kind == STAT_gauge)
            stats_set(stats, (enum stat_id)id, 0);
}
