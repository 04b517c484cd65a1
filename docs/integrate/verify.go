// A service that verifies access tokens of claimgate offline, with Go's standard library alone (1.25 or later).
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	tolerance = 60 * time.Second
	// Tokens of unknown keys do not make it ask more often.
	cooldown = 5 * time.Second
)

type Claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  string   `json:"aud"`
	Expires   int64    `json:"exp"`
	NotBefore int64    `json:"nbf"`
	Roles     []string `json:"roles"`
}

// ErrRefused says that a token is not good; any other error, that the keys cannot be had.
var ErrRefused = errors.New("the access token is refused")

type Verifier struct {
	Issuer, Audience string
	Keys             *KeySet
}

// Verify gives the claims of a good token, or ErrRefused.
func (v *Verifier) Verify(token string) (*Claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, ErrRefused
	}
	var header struct {
		Alg, Typ, Kid string
		Crit          any
	}
	if decode(parts[0], &header) != nil || header.Alg != "ES256" || header.Typ != "at+jwt" || header.Crit != nil {
		return nil, ErrRefused
	}
	key, err := v.Keys.Find(header.Kid)
	if err != nil {
		return nil, err
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(signature) != 64 {
		return nil, ErrRefused
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	if !ecdsa.Verify(key, digest[:], r, s) {
		return nil, ErrRefused
	}
	var claims Claims
	if decode(parts[1], &claims) != nil || claims.Issuer != v.Issuer || claims.Audience != v.Audience {
		return nil, ErrRefused
	}
	now := time.Now()
	if claims.Subject == "" || claims.NotBefore == 0 || now.Add(tolerance).Before(time.Unix(claims.NotBefore, 0)) {
		return nil, ErrRefused
	}
	if !now.Add(-tolerance).Before(time.Unix(claims.Expires, 0)) {
		return nil, ErrRefused
	}
	return &claims, nil
}

func decode(part string, value any) error {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, value)
}

// KeySet keeps the published keys for as long as the answer allows.
type KeySet struct {
	URL       string
	mutex     sync.Mutex
	keys      map[string]*ecdsa.PublicKey
	fetchTime time.Time
	maxAge    time.Duration
}

// Find gives the key with this id, and asks for the keys where it has none, or for too long.
func (s *KeySet) Find(kid string) (*ecdsa.PublicKey, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	age := time.Since(s.fetchTime)
	if age > s.maxAge || (s.keys[kid] == nil && age > cooldown) {
		if err := s.fetch(); err != nil {
			return nil, err
		}
	}
	if s.keys[kid] == nil {
		return nil, ErrRefused
	}
	return s.keys[kid], nil
}

var maxAgePattern = regexp.MustCompile(`max-age=(\d+)`)

func (s *KeySet) fetch() error {
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get(s.URL)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", s.URL, answer.Status)
	}
	var set struct {
		Keys []struct{ Kty, Crv, Kid, X, Y string }
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&set); err != nil {
		return err
	}
	keys := map[string]*ecdsa.PublicKey{}
	for _, jwk := range set.Keys {
		if jwk.Kty != "EC" || jwk.Crv != "P-256" {
			continue
		}
		x, _ := base64.RawURLEncoding.DecodeString(jwk.X)
		y, _ := base64.RawURLEncoding.DecodeString(jwk.Y)
		point := append(append([]byte{4}, x...), y...)
		if key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point); err == nil {
			keys[jwk.Kid] = key
		}
	}
	s.keys, s.fetchTime, s.maxAge = keys, time.Now(), 0
	if found := maxAgePattern.FindStringSubmatch(answer.Header.Get("Cache-Control")); found != nil {
		seconds, _ := strconv.Atoi(found[1])
		s.maxAge = time.Duration(seconds) * time.Second
	}
	return nil
}

func main() {
	url := os.Getenv("CLAIMGATE_URL")
	verifier := Verifier{url, os.Getenv("AUDIENCE"), &KeySet{URL: url + "/.well-known/jwks.json"}}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		claims, err := verifier.Verify(token)
		switch {
		case errors.Is(err, ErrRefused):
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
		case err != nil:
			log.Print(err)
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			json.NewEncoder(w).Encode(map[string]any{"sub": claims.Subject, "roles": claims.Roles})
		}
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
