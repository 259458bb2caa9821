let find n = if n > 2 then failwith "too many" else n
let rec walk n = walk (find n + 1)
let () = ignore (walk 0)
