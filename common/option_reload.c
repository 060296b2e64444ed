#include "common/option_reload.h"

#include "common/option_row.h"

static bool same_value(const struct option_row *row, const void *a, const void *b) {
    if (row->kind == OPTION_KIND_int) {
        return *(const option_int *)a == *(const option_int *)b;
    }
    if (row->kind == OPTION_KIND_bool) {
        return *(const option_bool *)a == *(const option_bool *)b;
    }
    return strcmp(*(const option_text *)a, *(const option_text *)b) == 0;
}

static void keep_value(const struct option_row *row, const void *held, void *fresh) {
    static const size_t sizes[] = {
        [OPTION_KIND_int] = sizeof(option_int),       [OPTION_KIND_bool] = sizeof(option_bool),
        [OPTION_KIND_text] = sizeof(option_text),     [OPTION_KIND_choice] = sizeof(option_choice),
        [OPTION_KIND_secret] = sizeof(option_secret), [OPTION_KIND_url] = sizeof(option_url),
    };
    static_assert(ARRAY_LENGTH(sizes) == OPTION_KIND_COUNT, "a size for each kind");

    memcpy(fresh, held, sizes[row->kind]);
}

void option_reload_keep(const struct options *held, struct options *fresh, char *left,
                        size_t left_size) {
    size_t length = 0;

    left[0] = '\0';
    for (size_t i = 0; i < OPTION_ROW_COUNT; i++) {
        const struct option_row *row = &option_rows[i];
        const void *before = (const char *)held + row->offset;
        void *after = (char *)fresh + row->offset;
        if (row->reload != OPTION_RELOAD_restart) {
            continue;
        }
        if (!same_value(row, before, after) && length < left_size) {
            length += (size_t)snprintf(left + length, left_size - length, "%s%s",
                                       length > 0 ? " " : "", row->environment);
        }
        keep_value(row, before, after);
    }
}
