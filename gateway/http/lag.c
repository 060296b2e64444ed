#include "gateway/http/lag.h"

bool lag_of_partition(const struct position *position, uint64_t *lag) {
    uint64_t next = load_relaxed(&position->next);
    if (next == POSITION_UNKNOWN) {
        return false;
    }
    uint64_t end = load_relaxed(&position->high_watermark);
    *lag = end != POSITION_UNKNOWN && end > next ? end - next : 0;
    return true;
}
