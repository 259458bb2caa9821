(define (inner x) (car x))
(define (outer x) (+ 1 (inner x)))
(display (outer 3))
