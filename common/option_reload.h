/* What of newly read options may come into force while the gateway runs: the column `reload` of the table. Used by the
 * supervisor, which alone has options from before; what it stores for its children (option_file_merge()) is right from
 * the start. Pure. */
#ifndef MOONX_COMMON_OPTION_RELOAD_H
#define MOONX_COMMON_OPTION_RELOAD_H

#include "common/option.h"

/* Gives `fresh` the values of `held` in every row that needs a restart. `left` gets the variables of those that
 * differed, separated by blanks; "" when none did. */
void option_reload_keep(const struct options *held, struct options *fresh, char *left,
                        size_t left_size);

#endif
