#include "inputs.h"

#include "exits.h"
#include "json.h"
#include "message.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void input_error(sft_error *error, sft_status status, const char *path, const char *sentence) {
    memset(error, 0, sizeof *error);
    error->status = status;
    error->byte = SFT_NO_BYTE;
    input_error_file(error, path);
    snprintf(error->message, sizeof error->message, "%s", sentence);
}

void input_error_file(sft_error *error, const char *path) {
    if (error->file[0] == '\0') {
        size_t length = strlen(path);
        size_t room = sizeof error->file - 1;
        snprintf(error->file, sizeof error->file, "%s",
                 length > room ? path + length - room : path);
    }
}

void input_error_tensor(sft_error *error, const char *name, size_t length) {
    size_t kept = length < sizeof error->tensor ? length : sizeof error->tensor - 1;
    memcpy(error->tensor, name, kept);
    error->tensor[kept] = '\0';
    error->tensor_length = kept;
    error->has_tensor = true;
}

bool input_refuse_stdin(const char *path, sft_error *error) {
    if (strcmp(path, "-") != 0) {
        return false;
    }
    input_error(error, SFT_NOT_A_FILE, path,
                "standard input can't be read in any order; save it to a file and name that "
                "(or ./- for a file of this name)");
    return true;
}

sft_status input_try(const char *path, void (*on_defect)(void *context, const sft_error *error),
                     void *context, sft_model **model, sft_error *error) {
    *model = NULL;
    if (input_refuse_stdin(path, error)) {
        return error->status;
    }
    sft_model_options options = SFT_MODEL_OPTIONS;
    options.access = SFT_ACCESS_READ;
    options.on_defect = on_defect;
    options.on_defect_context = context;
    sft_status status = sft_model_open(path, &options, model, error);
    if (status != SFT_OK) {
        input_error_file(error, path);
    }
    return status;
}

int input_open(const char *path, sft_model **model) {
    sft_error error;
    if (input_try(path, NULL, NULL, model, &error) != SFT_OK) {
        message_error(&error);
        return EXIT_TROUBLE;
    }
    return EXIT_FINE;
}

int input_each(const struct args *args, int (*each)(const struct args *args, size_t number)) {
    int code = EXIT_FINE;
    bool array = args->seen[OPTION_JSON] && args->operand_count > 1;
    if (array) {
        json_begin_array();
    }
    for (size_t i = 0; i < args->operand_count; i++) {
        code = exit_worse(code, each(args, i));
    }
    if (array) {
        json_end_array();
    }
    if (array || (args->seen[OPTION_JSON] && code == EXIT_FINE)) {
        json_end();
    }
    return code;
}

bool input_is_sharded(const sft_model *model, const char *path) {
    return sft_model_index_path(model) != NULL || sft_model_shards(model) != 1 ||
           strcmp(sft_model_shard_path(model, 0), path) != 0;
}

int input_open_single(const char *path, sft_model **model) {
    int code = input_open(path, model);
    if (code == EXIT_FINE && input_is_sharded(*model, path)) {
        message_line(path, sft_status_name(SFT_UNSUPPORTED),
                     "this is a folder or an index; name one of its files");
        sft_model_close(*model);
        *model = NULL;
        return EXIT_TROUBLE;
    }
    return code;
}

uint64_t input_bytes(const sft_model *model) {
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < sft_model_shards(model); i++) {
        bytes += sft_header_data_size(sft_file_header(sft_model_shard(model, i)));
    }
    return bytes;
}

static bool said_before(const sft_model *model, uint64_t shard, const sft_metadata_entry *entry) {
    for (uint64_t i = 0; i < shard; i++) {
        const sft_header *header = sft_file_header(sft_model_shard(model, i));
        if (sft_header_metadata_find(header, entry->key, entry->key_length) != NULL) {
            return true;
        }
    }
    return false;
}

const sft_metadata_entry **input_metadata(const sft_model *model, size_t *count, bool *present) {
    const sft_metadata_entry **entries = NULL;
    size_t room = 0;
    *count = 0;
    *present = false;
    for (uint64_t shard = 0; shard < sft_model_shards(model); shard++) {
        const sft_header *header = sft_file_header(sft_model_shard(model, shard));
        *present = *present || sft_header_has_metadata(header);
        uint64_t entry_count = sft_header_metadata_count(header);
        for (uint64_t i = 0; i < entry_count; i++) {
            const sft_metadata_entry *entry = sft_header_metadata_at(header, i);
            if (said_before(model, shard, entry)) {
                continue;
            }
            if (*count == room) {
                room = room == 0 ? 16 : room * 2;
                entries = memory_grow(entries, room, sizeof(const sft_metadata_entry *));
            }
            entries[(*count)++] = entry;
        }
    }
    return entries;
}

const sft_metadata_entry *input_metadata_find(const sft_model *model, const char *key,
                                              size_t length) {
    const sft_metadata_entry *found = NULL;
    for (uint64_t i = 0; i < sft_model_shards(model) && found == NULL; i++) {
        found = sft_header_metadata_find(sft_file_header(sft_model_shard(model, i)), key, length);
    }
    return found;
}

void input_json_metadata(const sft_model *model) {
    size_t count;
    bool present;
    const sft_metadata_entry **entries = input_metadata(model, &count, &present);
    json_key("metadata");
    if (present) {
        json_begin_object();
        for (size_t i = 0; i < count; i++) {
            json_key_bytes(entries[i]->key, entries[i]->key_length);
            json_bytes(entries[i]->value, entries[i]->value_length);
        }
        json_end_object();
    } else {
        json_null();
    }
    free(entries);
}

void input_json_tensor(const sft_tensor *tensor) {
    json_key("dtype");
    json_string(sft_dtype_name(tensor->dtype));
    json_key("shape");
    json_begin_array();
    for (uint32_t i = 0; i < tensor->rank; i++) {
        json_number(tensor->shape[i]);
    }
    json_end_array();
}

void input_shape_text(struct text *to, const sft_tensor *tensor) {
    text_add_string(to, "[");
    for (uint32_t i = 0; i < tensor->rank; i++) {
        text_add_format(to, "%s%" PRIu64, i > 0 ? "," : "", tensor->shape[i]);
    }
    text_add_string(to, "]");
}

uint64_t input_elements(const sft_tensor *tensor) {
    uint64_t elements = 1;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        elements *= tensor->shape[i];
    }
    return elements;
}
