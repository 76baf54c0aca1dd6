/* Do the shards of a model agree with each other, and with the index? */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "model/opener.h"

bool sft_opener_go_on(sft_opener *o, sft_status status, sft_error *found) {
    if (o->status == SFT_OK) {
        o->status = status;
        if (o->error != NULL) {
            *o->error = *found;
        }
    }
    if (o->options.on_defect == NULL || status == SFT_NO_MEMORY) {
        return false;
    }
    o->options.on_defect(o->options.on_defect_context, found);
    return true;
}

/* ---- the names of all shards ---- */

static sft_status fail_two_shards(const sft_opener *o, const sft_model_name *first,
                                  const sft_model_name *second, sft_error *error) {
    const sft_model *model = o->model;
    const char *other = model->shards[first->shard].path;
    sft_fail(error, SFT_TENSOR_IN_TWO_SHARDS, SFT_NO_BYTE, "the tensor also lies in %s",
             sft_show(other, strlen(other)).text);
    sft_error_tensor(error, second->name, second->length);
    sft_error_file(error, model->shards[second->shard].path);
    return SFT_TENSOR_IN_TWO_SHARDS;
}

static sft_status add_name(sft_opener *o, const sft_tensor *tensor, uint32_t shard) {
    sft_model *model = o->model;
    model->entries[model->name_count] =
        (sft_model_name){tensor->name, tensor->name_length, tensor, shard};
    switch (
        sft_names_add(&model->names, model->entries, sizeof *model->entries, model->name_count)) {
    case SFT_NAMES_ADDED:
        model->name_count++;
        return SFT_OK;
    case SFT_NAMES_NO_MEMORY:
        return sft_fail_memory(o->error);
    case SFT_NAMES_DUPLICATE:
        break;
    }
    uint64_t first = sft_names_find(&model->names, model->entries, sizeof *model->entries,
                                    tensor->name, tensor->name_length);
    sft_error found;
    sft_status status =
        fail_two_shards(o, &model->entries[first], &model->entries[model->name_count], &found);
    return sft_opener_go_on(o, status, &found) ? SFT_OK : status;
}

/* One table over all names; a model of one shard uses that shard's own. */
sft_status sft_opener_join_names(sft_opener *o) {
    sft_model *model = o->model;
    sft_names_init(&model->names, &model->allocator, o->seed);
    if (model->shard_count <= 1) {
        return SFT_OK;
    }
    model->entries = sft_allocate_zeroed(&model->allocator, model->count, sizeof *model->entries);
    if (model->entries == NULL) {
        return sft_fail_memory(o->error);
    }
    model->entry_capacity = model->count;
    if (!sft_names_reserve(&model->names, model->count)) {
        return sft_fail_memory(o->error);
    }
    for (uint32_t s = 0; s < model->shard_count; s++) {
        const sft_file *file = model->shards[s].file;
        for (uint64_t i = 0; i < sft_count(file); i++) {
            sft_status status = add_name(o, sft_at(file, i), s);
            if (status != SFT_OK) {
                return status;
            }
        }
    }
    return SFT_OK;
}

/* ---- index against shards ---- */

static sft_status defect(sft_opener *o, sft_status status, const char *file, const char *name,
                         size_t length, const char *message) {
    sft_error found;
    sft_fail(&found, status, SFT_NO_BYTE, "%s", message);
    sft_error_tensor(&found, name, length);
    sft_error_file(&found, file);
    return sft_opener_go_on(o, status, &found) ? SFT_OK : status;
}

/* Is every tensor of the index where it says? A shard that could not be opened was reported. */
static sft_status check_entries(sft_opener *o) {
    const sft_model *model = o->model;
    for (uint64_t i = 0; i < o->index.entry_count; i++) {
        const sft_index_entry *entry = &o->index.entries[i];
        uint32_t shard = o->index.shards[entry->shard].opened_as;
        if (shard == SFT_INDEX_NOT_OPEN ||
            sft_find(model->shards[shard].file, entry->name, entry->name_length) != NULL) {
            continue;
        }
        sft_status status =
            defect(o, SFT_TENSOR_NOT_IN_SHARD, model->shards[shard].path, entry->name,
                   entry->name_length, "the index says that the tensor lies here, but it does not");
        if (status != SFT_OK) {
            return status;
        }
    }
    return SFT_OK;
}

/* Is every tensor of the shards in the index? */
static sft_status check_tensors(sft_opener *o) {
    const sft_model *model = o->model;
    for (uint32_t s = 0; s < model->shard_count; s++) {
        const sft_file *file = model->shards[s].file;
        for (uint64_t i = 0; i < sft_count(file); i++) {
            const sft_tensor *tensor = sft_at(file, i);
            if (sft_names_find(&o->index.entry_names, o->index.entries, sizeof *o->index.entries,
                               tensor->name, tensor->name_length) != UINT64_MAX) {
                continue;
            }
            sft_status status =
                defect(o, SFT_TENSOR_NOT_IN_INDEX, model->shards[s].path, tensor->name,
                       tensor->name_length, "the index does not name this tensor");
            if (status != SFT_OK) {
                return status;
            }
        }
    }
    return SFT_OK;
}

static sft_status check_total_size(sft_opener *o) {
    const sft_model *model = o->model;
    if (!o->index.has_total_size || o->options.ignore_total_size || o->status != SFT_OK) {
        return SFT_OK;
    }
    uint64_t sum = 0;
    for (uint64_t s = 0; s < model->shard_count; s++) {
        sum += sft_header_data_size(sft_file_header(model->shards[s].file));
    }
    if (sum == o->index.total_size) {
        return SFT_OK;
    }
    sft_error found;
    sft_fail(&found, SFT_WRONG_TOTAL_SIZE, SFT_NO_BYTE,
             "total_size is %llu, but the tensors have %llu bytes",
             (unsigned long long)o->index.total_size, (unsigned long long)sum);
    sft_error_file(&found, model->index_path);
    return sft_opener_go_on(o, SFT_WRONG_TOTAL_SIZE, &found) ? SFT_OK : SFT_WRONG_TOTAL_SIZE;
}

/* Notes for each shard of the index under which number it was opened. */
static void match_shards(sft_opener *o, const char *folder) {
    size_t skip = strlen(folder);
    for (uint64_t s = 0; s < o->index.shard_count; s++) {
        o->index.shards[s].opened_as = SFT_INDEX_NOT_OPEN;
    }
    for (uint32_t s = 0; s < o->model->shard_count; s++) {
        const char *name = o->model->shards[s].path + skip;
        uint64_t known = sft_names_find(&o->index.shard_names, o->index.shards,
                                        sizeof *o->index.shards, name, strlen(name));
        if (known != UINT64_MAX) {
            o->index.shards[known].opened_as = s;
        }
    }
}

sft_status sft_opener_agree(sft_opener *o, const char *folder) {
    match_shards(o, folder);
    sft_status status = check_entries(o);
    status = status == SFT_OK ? check_tensors(o) : status;
    return status == SFT_OK ? check_total_size(o) : status;
}
