let () = print_endline (List.assoc "x" [ ("a", "b") ])
