#ifndef TASKFLOW_ROLE_API_OPENAPI_PRIVATE_H
#define TASKFLOW_ROLE_API_OPENAPI_PRIVATE_H

/* Pieces of the document (openapi_parts.c). */
#include "doc.h"

void oa_str(struct jsn_w *, const char *name, const char *value);
/* json: as it stands. */
void oa_raw(struct jsn_w *, const char *name, const char *json);
/* The caller closes it. */
void oa_object(struct jsn_w *, const char *name);
/* {"$ref": "#/components/KIND/NAME"} */
void oa_ref(struct jsn_w *, const char *kind, const char *name);
/* text (NULL: none) becomes its description. */
void oa_schema(struct jsn_w *, const char *schema, const char *text);
/* An object of these members and no others. */
void oa_input(struct jsn_w *, const struct input_table *);
/* Those of every answer, and these. is_charged: of a request that may have been
 * counted against a limit. */
void oa_headers(struct jsn_w *, const struct doc_param *, bool is_charged);
void oa_components(struct jsn_w *);

#endif
