# Exchange GitLab OIDC token for Bytebase API token
RESPONSE=$(curl -s -X POST "${BYTEBASE_URL}/v1/auth:exchangeToken" \
  -H "Content-Type: application/json" \
  -d "{\"token\": \"${GITLAB_OIDC_TOKEN}\", \"email\": \"${WORKLOAD_IDENTITY_EMAIL}\"}")

ACCESS_TOKEN=$(echo $RESPONSE | jq -r '.accessToken')
if [ "$ACCESS_TOKEN" = "null" ] || [ -z "$ACCESS_TOKEN" ]; then
  echo "Failed to get access token"
  echo $RESPONSE
  exit 1
fi

# Verify the token by calling the user info API
USER_INFO=$(curl -s "${BYTEBASE_URL}/v1/users/me" \
  -H "Authorization: Bearer $ACCESS_TOKEN")
echo "Authenticated as: $USER_INFO"
