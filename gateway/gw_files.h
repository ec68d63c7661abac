/* Files: the client bundle under gateway.path, and static files elsewhere. Read from disk at each
 * request; for demos and small pages, a web server's work is not attempted (no ranges, no listing).
 */
#ifndef PEAL_GW_FILES_H
#define PEAL_GW_FILES_H

#include "gw_http.h"

/* Answers from gateway.static_dir; 404 without one. Only regular files below the folder; "/" is
 * index.html. */
void gw_files_static(struct gw_http *h, const struct http_head *head);
/* Answers if name is one of the client bundle's files and gateway.client_dir has it. False: not one
 * of them. */
bool gw_files_client(struct gw_http *h, const struct http_head *head, struct str_view name);

#endif
