/* The index of a sharded model: what is accepted names plain files only, and every name once. */
#include <sft.h>

#include "base/memory.h"
#include "check_model.h"
#include "format/index.h"
#include "target.h"

static void check_shard_name(const sft_index_shard *shard) {
    const char *name = shard->name;
    size_t length = shard->name_length;
    fuzz_require(length > 0 && strlen(name) == length, "a shard's name is empty or holds NUL");
    fuzz_require(strpbrk(name, "/\\") == NULL, "a shard's name leads to another folder");
    fuzz_require(strcmp(name, ".") != 0 && strcmp(name, "..") != 0, "a shard's name is a folder");
}

static int compare_entries(const void *a, const void *b) {
    const sft_index_entry *x = a;
    const sft_index_entry *y = b;
    size_t shorter = x->name_length < y->name_length ? x->name_length : y->name_length;
    int order = shorter > 0 ? memcmp(x->name, y->name, shorter) : 0;
    return order != 0 ? order
                      : (x->name_length > y->name_length) - (x->name_length < y->name_length);
}

static void check_index(const sft_index *index) {
    for (uint64_t i = 0; i < index->shard_count; i++) {
        check_shard_name(&index->shards[i]);
        for (uint64_t j = 0; j < i; j++) {
            fuzz_require(strcmp(index->shards[i].name, index->shards[j].name) != 0,
                         "a shard is listed twice");
        }
    }
    size_t count = (size_t)index->entry_count;
    for (size_t i = 0; i < count; i++) {
        fuzz_require(index->entries[i].shard < index->shard_count, "an entry without a shard");
    }
    if (count > 1) {
        qsort(index->entries, count, sizeof *index->entries, compare_entries);
    }
    for (size_t i = 1; i < count; i++) {
        fuzz_require(compare_entries(&index->entries[i - 1], &index->entries[i]) != 0,
                     "a tensor is listed twice");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint64_t seed[2] = {1, 2};
    char *text = malloc(size + 1);
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    sft_allocator allocator = sft_allocator_of(NULL);
    sft_error error = {0};
    sft_index index;
    sft_status status = sft_index_parse(text, size, &allocator, seed, &index, &error);
    if (status == SFT_OK) {
        check_index(&index);
    } else {
        fuzz_expect(check_error(&error, status));
        fuzz_require(sft_status_is_defect(status), "refused, but not as a defect");
        fuzz_require(error.byte <= size, "the byte to blame lies behind the index");
    }
    sft_index_free(&index);
    free(text);
    return 0;
}
