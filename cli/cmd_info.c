#include "commands.h"
#include "inputs.h"
#include "json.h"
#include "output.h"
#include "units.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What fits on a screen; the rest is counted. */
enum { LINES_OF_METADATA = 8, LINES_OF_SHARDS = 4, VALUE_COLUMNS = 56 };

struct share {
    uint64_t tensors;
    uint64_t elements;
    uint64_t bytes;
};

struct summary {
    struct share all;
    struct share dtypes[SFT_DTYPES];
};

static void add_share(struct share *share, const sft_tensor *tensor) {
    share->tensors++;
    share->elements += input_elements(tensor);
    share->bytes += tensor->end - tensor->begin;
}

static struct summary summarise(const sft_model *model) {
    struct summary summary;
    memset(&summary, 0, sizeof summary);
    uint64_t count = sft_model_count(model);
    for (uint64_t i = 0; i < count; i++) {
        sft_model_tensor place;
        if (sft_model_at(model, i, &place)) {
            add_share(&summary.all, place.tensor);
            add_share(&summary.dtypes[place.tensor->dtype], place.tensor);
        }
    }
    return summary;
}

/* The greatest power of two that divides the place where the data begins. */
static uint64_t alignment(const sft_header *header) {
    uint64_t start = sft_header_data_start(header);
    return start & (~start + 1);
}

static uint64_t least_alignment(const sft_model *model) {
    uint64_t least = UINT64_MAX;
    for (uint64_t i = 0; i < sft_model_shards(model); i++) {
        uint64_t own = alignment(sft_file_header(sft_model_shard(model, i)));
        least = own < least ? own : least;
    }
    return least;
}

static void print_label(const char *label) {
    output_format("  %-12s", label);
}

static void print_bytes(uint64_t bytes) {
    output_string(units_bytes(bytes).text);
    if (bytes >= 1024) {
        output_format(" (%s bytes)", units_grouped(bytes).text);
    }
}

static void print_cut(const char *bytes, size_t length) {
    struct text text = TEXT_EMPTY;
    text_escape_cut(&text, bytes, length, VALUE_COLUMNS);
    output_text(&text);
    text_free(&text);
}

static void print_metadata(const sft_model *model) {
    size_t count;
    bool present;
    const sft_metadata_entry **entries = input_metadata(model, &count, &present);
    print_label("metadata");
    if (count == 0) {
        output_string(present ? "empty\n" : "none\n");
    }
    for (size_t i = 0; i < count && i < LINES_OF_METADATA; i++) {
        if (i > 0) {
            print_label("");
        }
        print_cut(entries[i]->key, entries[i]->key_length);
        output_string(" = ");
        print_cut(entries[i]->value, entries[i]->value_length);
        output_string("\n");
    }
    if (count > LINES_OF_METADATA) {
        print_label("");
        output_format("and %zu more\n", count - LINES_OF_METADATA);
    }
    free(entries);
}

static void print_dtypes(const struct summary *summary) {
    const char *label = "dtypes";
    for (int dtype = 0; dtype < SFT_DTYPES; dtype++) {
        const struct share *share = &summary->dtypes[dtype];
        if (share->tensors > 0) {
            print_label(label);
            output_format("%-12s", sft_dtype_name((sft_dtype)dtype));
            output_format("%s parameter%s in %s tensor%s, %s\n",
                          units_grouped(share->elements).text, share->elements == 1 ? "" : "s",
                          units_grouped(share->tensors).text, share->tensors == 1 ? "" : "s",
                          units_bytes(share->bytes).text);
            label = "";
        }
    }
}

static void print_shards(const sft_model *model, const char *path) {
    if (!input_is_sharded(model, path)) {
        return;
    }
    uint64_t shards = sft_model_shards(model);
    print_label("shards");
    output_format("%" PRIu64 "%s\n", shards,
                  sft_model_index_path(model) != NULL ? ", with an index" : ", without an index");
    struct text name = TEXT_EMPTY;
    for (uint64_t i = 0; i < shards && i < LINES_OF_SHARDS; i++) {
        const char *shard = sft_model_shard_path(model, i);
        text_clear(&name);
        text_escape(&name, shard, strlen(shard), "");
        print_label("");
        output_text(&name);
        output_format("  %s\n", units_bytes(sft_file_size(sft_model_shard(model, i))).text);
    }
    text_free(&name);
    if (shards > LINES_OF_SHARDS) {
        print_label("");
        output_format("and %" PRIu64 " more\n", shards - LINES_OF_SHARDS);
    }
}

static void print_alignment(const sft_model *model) {
    bool single = sft_model_shards(model) == 1;
    uint64_t multiple = least_alignment(model);
    print_label("alignment");
    if (single) {
        uint64_t start = sft_header_data_start(sft_file_header(sft_model_shard(model, 0)));
        output_format("data starts at byte %" PRIu64 ", ", start);
    }
    if (multiple >= 8) {
        output_format("%sa multiple of %" PRIu64 "\n",
                      single ? "" : "data starts, in every shard, at ", multiple);
    } else {
        output_string(single ? "not aligned to 8\n"
                             : "data starts, in some shard, at a place not aligned to 8\n");
    }
}

static void print_screen(const char *path, const sft_model *model) {
    struct summary summary = summarise(model);
    struct text title = TEXT_EMPTY;
    text_escape(&title, path, strlen(path), "");
    output_text(&title);
    output_string("\n");
    text_free(&title);

    print_label("parameters");
    output_format("%s\n", units_grouped(summary.all.elements).text);
    print_label("tensors");
    output_format("%s\n", units_grouped(summary.all.tensors).text);
    print_label("data");
    print_bytes(summary.all.bytes);
    output_string("\n");
    print_dtypes(&summary);
    print_shards(model, path);
    print_metadata(model);
    print_alignment(model);
}

static void print_json(const char *path, const sft_model *model) {
    struct summary summary = summarise(model);
    json_begin_object();
    json_key("schema");
    json_number(1);
    json_key("file");
    json_string(path);
    json_key("parameters");
    json_number(summary.all.elements);
    json_key("tensors");
    json_number(summary.all.tensors);
    json_key("bytes");
    json_number(summary.all.bytes);
    json_key("dtypes");
    json_begin_object();
    for (int dtype = 0; dtype < SFT_DTYPES; dtype++) {
        const struct share *share = &summary.dtypes[dtype];
        if (share->tensors > 0) {
            json_key(sft_dtype_name((sft_dtype)dtype));
            json_begin_object();
            json_key("parameters");
            json_number(share->elements);
            json_key("tensors");
            json_number(share->tensors);
            json_key("bytes");
            json_number(share->bytes);
            json_end_object();
        }
    }
    json_end_object();
    json_key("shards");
    json_begin_array();
    for (uint64_t i = 0; i < sft_model_shards(model); i++) {
        const sft_file *file = sft_model_shard(model, i);
        json_begin_object();
        json_key("file");
        json_string(sft_model_shard_path(model, i));
        json_key("bytes");
        json_number(sft_file_size(file));
        json_key("data_start");
        json_number(sft_header_data_start(sft_file_header(file)));
        json_end_object();
    }
    json_end_array();
    input_json_metadata(model);
    json_end_object();
}

static int inform(const struct args *args, size_t number) {
    sft_model *model;
    int code = input_open(args->operands[number], &model);
    if (code != EXIT_FINE) {
        return code;
    }
    if (args->seen[OPTION_JSON]) {
        print_json(args->operands[number], model);
    } else {
        output_string(number > 0 ? "\n" : "");
        print_screen(args->operands[number], model);
    }
    sft_model_close(model);
    return EXIT_FINE;
}

static int run_info(const struct args *args) {
    int code = args_expect(args, 1, SIZE_MAX, "a FILE");
    return code == EXIT_FINE ? input_each(args, inform) : code;
}

static const struct option_spec options[] = {{"json", OPTION_JSON, '\0', false},
                                             {NULL, 0, '\0', false}};

const struct command command_info = {
    .name = "info",
    .summary = "one screen about a model",
    .help = "Usage: sft info [--json] FILE...\n"
            "\n"
            "Prints how many parameters and bytes a model has, its dtypes, its shards, its\n"
            "metadata (long values cut), and where its data begins.\n"
            "\n"
            "  --json       one JSON document; for several FILEs an array of them\n"
            "\n"
            "Example: sft info model/\n",
    .options = options,
    .run = run_info,
};
