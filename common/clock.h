/* Time: monotonic for every timer and deadline, wall time only for token expiry and timestamps on
 * the wire. Tests replace both with clock_set_fake(), so that nothing sleeps. Used by every process. */
#ifndef MOONX_COMMON_CLOCK_H
#define MOONX_COMMON_CLOCK_H

#include "common/base.h"

uint64_t clock_mono_ns(void);
uint64_t clock_mono_ms(void);
int64_t clock_wall_ms(void);

/* Tests only: from now on the clocks stand at these values until set again. */
void clock_set_fake(uint64_t mono_ns, int64_t wall_ms);
void clock_set_real(void);

#endif
