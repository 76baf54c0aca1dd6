/*
 * Options structs that can grow: each begins with `size_t struct_size`, by which a caller that was
 * built against an older header tells how much of it there is.
 */
#ifndef SFT_SRC_BASE_OPTIONS_H
#define SFT_SRC_BASE_OPTIONS_H

#include <sft/base.h>

/*
 * SFT_INVALID_ARGUMENT where struct_size is not set, as every option would be lost without a word.
 * `initializer` is the macro to begin with. given may be NULL: all is default.
 */
sft_status sft_options_check(const void *given, const char *initializer, sft_error *error);

/* Takes over what the caller's struct has; the rest of `known`, of `size` bytes, stays. */
void sft_options_copy(void *known, size_t size, const void *given);

#endif
