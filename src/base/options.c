#include "base/options.h"

#include <string.h>

#include "base/error.h"

static size_t size_of(const void *given) {
    size_t size;
    memcpy(&size, given, sizeof size);
    return size;
}

sft_status sft_options_check(const void *given, const char *initializer, sft_error *error) {
    if (given != NULL && size_of(given) < sizeof(size_t)) {
        sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                 "struct_size of the options is not set: begin with %s", initializer);
        return SFT_INVALID_ARGUMENT;
    }
    return SFT_OK;
}

void sft_options_copy(void *known, size_t size, const void *given) {
    if (given != NULL) {
        size_t common = size_of(given) < size ? size_of(given) : size;
        memcpy(known, given, common);
        memcpy(known, &size, sizeof size);
    }
}
