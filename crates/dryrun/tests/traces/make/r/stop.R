inner <- function(x) stop("bad value: ", x)
outer <- function(x) inner(x)
outer(3)
