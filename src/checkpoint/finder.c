#include "checkpoint/finder.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/utf8.h"

sft_status sft_finder_check_memory(const sft_finder *finder) {
    const sft_found *found = finder->found;
    uint64_t taken = found->arena.total + found->sources.arena.total +
                     found->tensor_capacity * sizeof *found->tensors +
                     found->storage_capacity * sizeof *found->storages;
    if (taken <= finder->memory) {
        return SFT_OK;
    }
    sft_fail(finder->error, SFT_SOURCE_LIMIT, SFT_NO_BYTE,
             "the names and shapes of the tensors take more memory than the limit allows");
    return SFT_SOURCE_LIMIT;
}

sft_status sft_finder_storage(sft_finder *finder, const sft_region *region, bool big_endian,
                              uint64_t *number) {
    sft_found *found = finder->found;
    if (!sft_grow(&finder->allocator, (void **)&found->storages, &found->storage_capacity,
                  found->storage_count, sizeof *found->storages)) {
        return sft_fail_memory(finder->error);
    }
    *number = found->storage_count;
    found->storages[found->storage_count++] = (sft_storage){*region, big_endian};
    return sft_finder_check_memory(finder);
}

char *sft_finder_text(sft_finder *finder, const char *text, size_t length) {
    char *copy = sft_arena_take(&finder->found->arena, (uint64_t)length + 1);
    if (copy != NULL) {
        for (size_t i = 0; i < length; i++) {
            copy[i] = text[i];
        }
        copy[length] = '\0';
    }
    return copy;
}

sft_status sft_refuse(sft_finder *finder, sft_found_tensor *tensor, sft_status status,
                      const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t used = length < 0 ? 0 : (size_t)length;
    *tensor = (sft_found_tensor){.refused = status};
    tensor->why = sft_finder_text(finder, text, used < sizeof text ? used : sizeof text - 1);
    return tensor->why != NULL ? SFT_OK : sft_fail_memory(finder->error);
}

sft_status sft_finder_add(sft_finder *finder, const sft_found_tensor *tensor, const char *name,
                          size_t length, size_t first_key) {
    sft_found *found = finder->found;
    char *copy = sft_finder_text(finder, name, length);
    if (copy == NULL ||
        !sft_grow(&finder->allocator, (void **)&found->tensors, &found->tensor_capacity,
                  found->tensor_count, sizeof *found->tensors)) {
        return sft_fail_memory(finder->error);
    }
    sft_found_tensor *added = &found->tensors[found->tensor_count];
    *added = *tensor;
    if (sft_utf8_check((const unsigned char *)copy, length) != length &&
        sft_refuse(finder, added, SFT_INVALID_NAME, "its name is no valid Unicode") != SFT_OK) {
        return SFT_NO_MEMORY;
    }
    found->tensor_count++;
    added->name = copy;
    added->name_length = length;
    added->first_key = first_key;
    return sft_finder_check_memory(finder);
}
