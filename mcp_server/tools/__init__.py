"""One method a tool: flat arguments become a request, a use case answers, the reply is shaped."""
