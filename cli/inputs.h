/*
 * The FILE of a command line: a file, a folder of shards, or an index.
 */
#ifndef CLI_INPUTS_H
#define CLI_INPUTS_H

#include "args.h"
#include "text.h"

#include <sft.h>

/*
 * input_open() - opens a FILE for reading, by positioned reads: a file that is cut
 * short meanwhile gives an error. Returns EXIT_FINE, or EXIT_TROUBLE after a message.
 */
int input_open(const char *path, sft_model **model);

/* input_refuse_stdin() - true if FILE is `-`, which has no places to go back to; says so. */
bool input_refuse_stdin(const char *path, sft_error *error);

/*
 * input_try() - the same, but leaves the error to the caller. @on_defect and @context may be NULL;
 * see sft_model_options.
 */
sft_status input_try(const char *path, void (*on_defect)(void *context, const sft_error *error),
                     void *context, sft_model **model, sft_error *error);

/* input_open_single() - for commands that know no shards: folders and indexes are refused. */
int input_open_single(const char *path, sft_model **model);

/*
 * input_each() - calls `each` for the number of every FILE of the command line; with --json their
 * documents are put together: one stands alone, several become an array. Returns the worst result.
 */
int input_each(const struct args *args, int (*each)(const struct args *args, size_t number));

/* input_is_sharded() - whether FILE was a folder or an index, so that tensors lie in files below
 * it. */
bool input_is_sharded(const sft_model *model, const char *path);

/* input_bytes() - of all tensors' data. */
uint64_t input_bytes(const sft_model *model);

/* input_error() - fills an error of the command's own. */
void input_error(sft_error *error, sft_status status, const char *path, const char *sentence);

/* input_error_file() - names the file, where the library has not. */
void input_error_file(sft_error *error, const char *path);

/* input_error_tensor() - names the tensor. */
void input_error_tensor(sft_error *error, const char *name, size_t length);

/*
 * The metadata of all shards together: the first shard that has a key says its value.
 * input_metadata() returns the entries, to be freed; *present tells whether any shard
 * has a __metadata__ object.
 */
const sft_metadata_entry **input_metadata(const sft_model *model, size_t *count, bool *present);

/* input_metadata_find() - the entry of a key in the first shard that has it, or NULL. */
const sft_metadata_entry *input_metadata_find(const sft_model *model, const char *key,
                                              size_t length);

/* input_json_metadata() - "metadata": {…} or null. */
void input_json_metadata(const sft_model *model);

/* input_json_tensor() - "dtype" and "shape" of a tensor. */
void input_json_tensor(const sft_tensor *tensor);

/* input_shape_text() - adds "[2,3]". */
void input_shape_text(struct text *to, const sft_tensor *tensor);

/* input_elements() - the product of the shape. */
uint64_t input_elements(const sft_tensor *tensor);

#endif /* CLI_INPUTS_H */
