#include "commands.h"
#include "inputs.h"
#include "json.h"
#include "message.h"
#include "output.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum sort { SORT_OFFSET, SORT_NAME, SORT_SIZE };

/* A longer name pushes the columns of its own line only. */
enum { NAME_COLUMNS = 64, SHAPE_COLUMNS = 24 };

struct listing {
    sft_model_tensor *tensors;
    size_t count;
};

/* fnmatch() ends at a NUL; a name's NULs become another character that only * ? and [] match. */
static bool matches(const char *name, size_t length, const struct args *args) {
    if (!args->has_rest) {
        return true;
    }
    char *copy = memory_take(length + 1, 1);
    for (size_t i = 0; i < length; i++) {
        copy[i] = name[i] == '\0' ? '\001' : name[i];
    }
    copy[length] = '\0';
    bool found = false;
    for (size_t i = 0; i < args->rest_count && !found; i++) {
        found = fnmatch(args->rest[i], copy, 0) == 0;
    }
    free(copy);
    return found;
}

static int by_name(const void *a, const void *b) {
    const sft_tensor *x = ((const sft_model_tensor *)a)->tensor;
    const sft_tensor *y = ((const sft_model_tensor *)b)->tensor;
    size_t common = x->name_length < y->name_length ? x->name_length : y->name_length;
    int order = common > 0 ? memcmp(x->name, y->name, common) : 0;
    return order != 0 ? order
                      : (x->name_length > y->name_length) - (x->name_length < y->name_length);
}

/* The largest first; equals by name, so that the order is always the same. */
static int by_size(const void *a, const void *b) {
    const sft_tensor *x = ((const sft_model_tensor *)a)->tensor;
    const sft_tensor *y = ((const sft_model_tensor *)b)->tensor;
    uint64_t x_size = x->end - x->begin;
    uint64_t y_size = y->end - y->begin;
    return x_size != y_size ? (x_size < y_size) - (x_size > y_size) : by_name(a, b);
}

static struct listing collect(const sft_model *model, const struct args *args, enum sort sort) {
    uint64_t count = sft_model_count(model);
    struct listing listing = {memory_take((size_t)count, sizeof(sft_model_tensor)), 0};
    for (uint64_t i = 0; i < count; i++) {
        sft_model_tensor *tensor = &listing.tensors[listing.count];
        if (sft_model_at(model, i, tensor) &&
            matches(tensor->tensor->name, tensor->tensor->name_length, args)) {
            listing.count++;
        }
    }
    if (sort != SORT_OFFSET) {
        qsort(listing.tensors, listing.count, sizeof *listing.tensors,
              sort == SORT_NAME ? by_name : by_size);
    }
    return listing;
}

static void print_json(const char *path, const sft_model *model, const struct listing *listing) {
    bool sharded = input_is_sharded(model, path);
    json_begin_object();
    json_key("schema");
    json_number(1);
    json_key("file");
    json_string(path);
    input_json_metadata(model);
    json_key("tensors");
    json_begin_array();
    for (size_t i = 0; i < listing->count; i++) {
        const sft_model_tensor *place = &listing->tensors[i];
        json_begin_object();
        json_key("name");
        json_bytes(place->tensor->name, place->tensor->name_length);
        input_json_tensor(place->tensor);
        json_key("data_offsets");
        json_begin_array();
        json_number(place->tensor->begin);
        json_number(place->tensor->end);
        json_end_array();
        if (sharded) {
            json_key("file");
            json_string(sft_model_shard_path(model, place->shard));
        }
        json_end_object();
    }
    json_end_array();
    json_end_object();
}

struct line {
    struct text name;
    struct text shape;
    struct text size;
};

static void fill_line(struct line *line, const sft_tensor *tensor) {
    text_clear(&line->name);
    text_clear(&line->shape);
    text_clear(&line->size);
    text_escape(&line->name, tensor->name, tensor->name_length, "");
    input_shape_text(&line->shape, tensor);
    text_add_format(&line->size, "%" PRIu64, tensor->end - tensor->begin);
}

static void widen(size_t *width, const struct text *text, size_t most) {
    size_t wanted = text_width(text->bytes, text->length);
    if (wanted <= most && wanted > *width) {
        *width = wanted;
    }
}

static void print_table(const char *path, const sft_model *model, const struct listing *listing) {
    bool sharded = input_is_sharded(model, path);
    struct line line = {TEXT_EMPTY, TEXT_EMPTY, TEXT_EMPTY};
    size_t name_width = 0;
    size_t dtype_width = 0;
    size_t shape_width = 0;
    size_t size_width = 0;
    for (size_t i = 0; i < listing->count; i++) {
        const sft_tensor *tensor = listing->tensors[i].tensor;
        size_t dtype = strlen(sft_dtype_name(tensor->dtype));
        fill_line(&line, tensor);
        widen(&name_width, &line.name, NAME_COLUMNS);
        widen(&shape_width, &line.shape, SHAPE_COLUMNS);
        widen(&size_width, &line.size, SIZE_MAX);
        dtype_width = dtype > dtype_width ? dtype : dtype_width;
    }
    for (size_t i = 0; i < listing->count; i++) {
        const sft_model_tensor *place = &listing->tensors[i];
        fill_line(&line, place->tensor);
        output_padded(&line.name, name_width);
        output_format("  %-*s  ", (int)dtype_width, sft_dtype_name(place->tensor->dtype));
        output_padded(&line.shape, shape_width);
        output_format("  %*s", (int)size_width, line.size.bytes);
        if (sharded) {
            const char *shard = sft_model_shard_path(model, place->shard);
            const char *slash = strrchr(shard, '/');
            const char *base = slash != NULL ? slash + 1 : shard;
            text_clear(&line.name);
            text_escape(&line.name, base, strlen(base), "");
            output_string("  ");
            output_text(&line.name);
        }
        output_string("\n");
    }
    text_free(&line.name);
    text_free(&line.shape);
    text_free(&line.size);
}

/* What --sort asks for; -1 if it asks for no such order. */
static int sort_of(const struct args *args) {
    static const char *const names[] = {"offset", "name", "size"};
    for (int i = 0; i < 3; i++) {
        if (!args->seen[OPTION_SORT] || strcmp(args->values[OPTION_SORT], names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

static int list_file(const struct args *args, size_t number) {
    const char *path = args->operands[number];
    sft_model *model;
    int code = input_open(path, &model);
    if (code != EXIT_FINE) {
        return code;
    }
    struct listing listing = collect(model, args, (enum sort)sort_of(args));
    if (args->seen[OPTION_JSON]) {
        print_json(path, model, &listing);
    } else {
        if (args->operand_count > 1) {
            struct text title = TEXT_EMPTY;
            text_escape(&title, path, strlen(path), "");
            output_string(number > 0 ? "\n" : "");
            output_text(&title);
            output_string(":\n");
            text_free(&title);
        }
        print_table(path, model, &listing);
    }
    free(listing.tensors);
    sft_model_close(model);
    return EXIT_FINE;
}

static int run_ls(const struct args *args) {
    int code = args_expect(args, 1, SIZE_MAX, "a FILE");
    if (code == EXIT_FINE && sort_of(args) < 0) {
        code = message_usage("ls: --sort is name, size or offset, not \"%s\"",
                             args->values[OPTION_SORT]);
    }
    return code == EXIT_FINE ? input_each(args, list_file) : code;
}

static const struct option_spec options[] = {
    {"json", OPTION_JSON, '\0', false}, {"sort", OPTION_SORT, '\0', true}, {NULL, 0, '\0', false}};

const struct command command_ls = {
    .name = "ls",
    .summary = "a line for each tensor: name, dtype, shape, size",
    .help = "Usage: sft ls [--json] [--sort KEY] FILE... [-- GLOB...]\n"
            "\n"
            "Prints a line for each tensor: name, dtype, shape, size in bytes; for a folder\n"
            "or an index also the shard it lies in.\n"
            "\n"
            "  --json       one JSON document; for several FILEs an array of them\n"
            "  --sort KEY   by name, size (the largest first) or offset (the default)\n"
            "  -- GLOB...   only tensors whose name one of the globs matches: * ? [a-z]\n"
            "\n"
            "Example: sft ls --sort size model.safetensors -- '*.weight'\n",
    .options = options,
    .splits = true,
    .run = run_ls,
};
