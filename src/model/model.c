/* Looking things up in an open model, and closing it. */
#include "model/model.h"

#include "base/memory.h"

void sft_model_close(sft_model *model) {
    if (model == NULL) {
        return;
    }
    for (uint64_t i = 0; i < model->shard_count; i++) {
        sft_close(model->shards[i].file);
    }
    sft_names_free(&model->names);
    sft_release(&model->allocator, model->entries, model->entry_capacity * sizeof *model->entries);
    sft_release(&model->allocator, model->shards, model->shard_capacity * sizeof *model->shards);
    sft_arena_free(&model->arena);
    sft_allocator allocator = model->allocator;
    sft_release(&allocator, model, sizeof *model);
}

uint64_t sft_model_count(const sft_model *model) {
    return model->count;
}

/* The last shard that begins at or before the index: a binary search. */
static uint64_t shard_of(const sft_model *model, uint64_t index) {
    uint64_t low = 0;
    uint64_t high = model->shard_count;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (model->shards[middle].first <= index) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

bool sft_model_at(const sft_model *model, uint64_t index, sft_model_tensor *tensor) {
    if (index >= model->count) {
        return false;
    }
    uint64_t shard = shard_of(model, index);
    const sft_file *file = model->shards[shard].file;
    *tensor = (sft_model_tensor){sft_at(file, index - model->shards[shard].first), file, shard};
    return true;
}

bool sft_model_find(const sft_model *model, const char *name, size_t length,
                    sft_model_tensor *tensor) {
    if (model->entries == NULL) {
        const sft_file *only = model->shard_count > 0 ? model->shards[0].file : NULL;
        const sft_tensor *found = only != NULL ? sft_find(only, name, length) : NULL;
        *tensor = (sft_model_tensor){found, only, 0};
        return found != NULL;
    }
    uint64_t at =
        sft_names_find(&model->names, model->entries, sizeof *model->entries, name, length);
    if (at == UINT64_MAX) {
        return false;
    }
    const sft_model_name *entry = &model->entries[at];
    *tensor = (sft_model_tensor){entry->tensor, model->shards[entry->shard].file, entry->shard};
    return true;
}

uint64_t sft_model_shards(const sft_model *model) {
    return model->shard_count;
}

const sft_file *sft_model_shard(const sft_model *model, uint64_t shard) {
    return shard < model->shard_count ? model->shards[shard].file : NULL;
}

const char *sft_model_shard_path(const sft_model *model, uint64_t shard) {
    return shard < model->shard_count ? model->shards[shard].path : NULL;
}

const char *sft_model_index_path(const sft_model *model) {
    return model->index_path;
}
